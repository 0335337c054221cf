#!/usr/bin/env python3
"""Expected costs, worked out with fractions from a price catalogue and from nothing of Keywheel's own.

    python3 tests/data/expected_costs.py tests/data/prices.json > tests/data/expected_costs.tsv

One line for each model and usage: how the call was billed, its tokens by bucket, its cost in picodollars, and whether
the catalogue names every rate in it (exact) or a neighbour's had to stand in (estimated).
"""

import datetime
import json
import sys
from fractions import Fraction

BUCKETS = [
    "input", "cache_read", "cache_read_audio", "cache_write", "cache_write_1h", "cache_write_12h", "audio_in", "image_in",
    "output", "reasoning", "audio_out", "image_out", "searches",
]
INPUT = BUCKETS[:8]

# bucket -> the catalogue's names in order of preference; the second column says from which name on it is a guess
RATES = {
    "input": (["input"], 1),
    "cache_read": (["cache_read", "input"], 1),
    "cache_read_audio": (["cache_read_audio", "cache_read", "input"], 1),
    "cache_write": (["cache_write", "input"], 1),
    "cache_write_1h": (["cache_write_1h", "cache_write", "input"], 1),
    "cache_write_12h": (["cache_write_12h_plus", "cache_write_1h", "cache_write", "input"], 1),
    "audio_in": (["audio_input", "input"], 1),
    "image_in": (["image_input", "input"], 2),  # images are billed as text where they have no price
    "output": (["output"], 1),
    "reasoning": (["reasoning", "output"], 2),  # reasoning is billed as output where it has no price
    "audio_out": (["audio_output", "output"], 1),
    "image_out": (["output"], 0),
}

WEDNESDAY = "2026-11-25T12:00:00Z"


def cases(threshold):
    """Name, how it was billed, tokens."""
    over = {"input": threshold - 49_999, "cache_read": 50_000, "output": 4_000}
    return [
        ("plain", {}, {"input": 1_000, "output": 500}),
        ("cached", {}, {"input": 1_200, "cache_read": 30_008, "output": 77}),
        ("written", {}, {"input": 9, "cache_write": 3_755, "cache_read": 30_008, "output": 1}),
        ("written for an hour", {}, {"input": 3, "cache_write_1h": 12_304, "output": 550}),
        ("written for a day", {}, {"input": 3, "cache_write_12h": 12_304, "output": 550}),
        ("reasoning", {}, {"input": 17, "output": 34, "reasoning": 448}),
        ("audio", {}, {"input": 100, "audio_in": 2_000, "cache_read_audio": 300, "output": 10, "audio_out": 900}),
        ("images", {}, {"input": 29, "image_in": 1_142, "cache_read": 1_290, "output": 303, "image_out": 64}),
        ("searches", {}, {"input": 700, "output": 300, "searches": 3}),
        ("below the cliff", {}, {**over, "input": over["input"] - 2}),
        ("at the cliff", {}, {**over, "input": over["input"] - 1}),
        ("over the cliff", {}, over),
        ("over, all classes", {}, {**over, "cache_write": 1_111, "cache_write_1h": 222, "reasoning": 33_333}),
        ("batch", {"tier": "batch"}, {"input": 5_000, "cache_read": 4_000, "cache_write": 300, "cache_write_1h": 7, "output": 900}),
        ("flex", {"tier": "flex"}, {"input": 5_000, "cache_read": 4_000, "output": 900, "reasoning": 90}),
        ("priority", {"tier": "priority"}, {"input": 5_000, "cache_read": 4_000, "cache_write": 300, "output": 900}),
        ("ultrafast", {"tier": "ultrafast"}, {"input": 5_000, "cache_read": 4_000, "cache_write_12h": 9, "output": 900}),
        ("decisions", {"tier": "decisions"}, {"input": 5_000, "cache_read": 4_000, "output": 900}),
        ("batch over the cliff", {"tier": "batch"}, over),
        ("flex over the cliff", {"tier": "flex"}, over),
        ("priority over the cliff", {"tier": "priority"}, over),
        ("region us", {"region": "us"}, {"input": 1_234, "cache_read": 5_678, "cache_write": 91, "output": 1_112}),
        ("region eu", {"region": "eu", "tier": "flex"}, {"input": 1_234, "cache_read": 5_678, "output": 1_112}),
        ("speed fast", {"speed": "fast"}, {"input": 1_234, "cache_read": 5_678, "output": 1_112}),
        ("last second of November", {"at": "2026-11-30T23:59:59Z"}, {"input": 4_321, "cache_read": 8_765, "output": 2_109}),
        ("first second of December", {"at": "2026-12-01T00:00:00Z"}, {"input": 4_321, "cache_read": 8_765, "output": 2_109}),
        ("batch in December", {"at": "2026-12-01T00:00:00Z", "tier": "batch"}, {"input": 4_321, "output": 2_109}),
        ("last second of 2026", {"at": "2026-12-31T23:59:59Z"}, {"input": 4_321, "reasoning": 8_765, "output": 2_109}),
        ("first second of 2027", {"at": "2027-01-01T00:00:00Z"}, {"input": 4_321, "reasoning": 8_765, "output": 2_109}),
        ("peak begins in a second", {"at": "2026-11-23T00:59:59Z"}, {"input": 999, "cache_read": 64_000, "output": 333}),
        ("peak begins", {"at": "2026-11-23T01:00:00Z"}, {"input": 999, "cache_read": 64_000, "output": 333}),
        ("peak ends in a second", {"at": "2026-11-23T03:59:59Z"}, {"input": 999, "cache_read": 64_000, "output": 333}),
        ("peak ended", {"at": "2026-11-23T04:00:00Z"}, {"input": 999, "cache_read": 64_000, "output": 333}),
        ("second peak", {"at": "2026-11-27T09:59:59Z"}, {"input": 999, "cache_read": 64_000, "reasoning": 333}),
        ("second peak ended", {"at": "2026-11-27T10:00:00Z"}, {"input": 999, "cache_read": 64_000, "reasoning": 333}),
        ("Saturday at a peak hour", {"at": "2026-11-28T02:00:00Z"}, {"input": 999, "cache_read": 64_000, "output": 333}),
        ("Monday in Beijing, Sunday in UTC", {"at": "2026-11-29T23:00:00Z"}, {"input": 999, "cache_read": 64_000, "output": 333}),
        ("a million tokens of everything", {}, {bucket: 1_000_000 for bucket in BUCKETS if bucket != "searches"}),
    ]


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def minutes(text):
    hours, rest = text.split(":")
    return int(hours) * 60 + int(rest)


def off_peak_holds(off_peak, at):
    now = at.hour * 60 + at.minute
    for window in off_peak["windows"]:
        hours = window["hours_utc"]
        for span in [hours] if isinstance(hours, str) else hours:
            start, end = map(minutes, span.split("-"))
            end = end or 24 * 60
            if at.isoweekday() in window["weekdays"] and start <= now < end:
                return True
    return False


def crossed(tier, tokens):
    over = tier["threshold_input_tokens"]
    return tokens >= over if tier["comparison"] == ">=" else tokens > over


def price_list(model, billed, tokens):
    """The rates for the whole call, and whether they are a guess for its tier."""
    at = instant(billed["at"])
    crossings = [tier for tier in model.get("context_tiers", []) if crossed(tier, tokens)]
    cliff = max(crossings, key=lambda tier: tier["threshold_input_tokens"], default=None)
    changes = [change for change in model.get("scheduled_changes", []) if change["effective_from"] <= at.date().isoformat()]
    name = billed.get("tier", "default")
    tier = model.get("service_tiers", {}).get(name)
    if tier and not changes:  # the catalogue announces new standard prices only, so tiers end with the old ones
        above = tier.get("above", {})
        if cliff is None:
            return tier["prices"], False
        if str(cliff["threshold_input_tokens"]) in above:
            return above[str(cliff["threshold_input_tokens"])], False
        return tier["prices"], True
    guess = name != "default"
    if changes:
        return max(changes, key=lambda change: change["effective_from"])["prices"], guess
    if cliff is not None:
        return cliff["prices"], guess
    if "off_peak" in model and off_peak_holds(model["off_peak"], at):
        return {**model["standard"], **model["off_peak"]["prices"]}, guess
    return model["standard"], guess


def factor(model, billed):
    """How many times as much tokens cost, and whether that is a guess."""
    other = model.get("other", {})
    entry = other.get("provider_specific_entry", {})
    times = Fraction(1)
    region = billed.get("region")
    if region:
        times *= Fraction(str(other.get(f"regional_processing_uplift_multiplier_{region}", entry.get(region, "1"))))
    if billed.get("speed"):
        if billed["speed"] not in entry:
            return times, True
        times *= Fraction(str(entry[billed["speed"]]))
    return times, False


def cost(model, billed, usage):
    tokens = sum(usage.get(bucket, 0) for bucket in INPUT)
    prices, guess = price_list(model, billed, tokens)
    times, guessed_factor = factor(model, billed)
    total, estimated = Fraction(0), guess or guessed_factor
    for bucket, count in usage.items():
        if bucket == "searches":
            fees = model.get("other", {}).get("search_context_cost_per_query", {})
            total += count * Fraction(fees.get("search_context_size_medium", "0"))
            estimated |= not fees
            continue
        names, certain = RATES[bucket]
        at = next(at for at, name in enumerate(names) if name in prices)
        total += count * Fraction(prices[names[at]]) / 1_000_000 * times
        estimated |= at >= certain and count > 0
    return total, estimated


def address(entry):
    """How Keywheel is asked for the same thing: provider, model, region."""
    provider = {"together_ai": "together"}.get(entry["provider"], entry["provider"])
    model, region = entry["model"], None
    if provider in ("azure", "zai", "moonshot", "minimax", "dashscope"):
        model = model.split("/", 1)[1]
    if model.startswith("us/"):
        model, region = model.removeprefix("us/"), "us"
    return provider, model, region


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        models = json.load(file)["models"]
    by_address = {address(entry): entry for entry in models}
    print("\t".join(["provider", "model", "case", "at", "tier", "region", "speed", *BUCKETS, "picodollars", "certainty"]))
    for entry in models:
        provider, model, own_region = address(entry)
        tiers = [tier["threshold_input_tokens"] for tier in entry.get("context_tiers", [])]
        for name, billed, usage in cases(min(tiers, default=200_000)):
            billed = {"at": WEDNESDAY, **billed}
            priced = entry
            if own_region:
                # a regional entry of the catalogue holds its own prices, without a factor
                billed["region"] = own_region
            elif (provider, model, billed.get("region")) in by_address and billed.get("region"):
                priced = by_address[(provider, model, billed["region"])]
            total, estimated = cost(priced, billed, usage)
            picodollars = total * 10**12
            assert picodollars.denominator == 1, (model, name)
            print("\t".join([
                provider, model, name, billed["at"], billed.get("tier", ""), billed.get("region", ""), billed.get("speed", ""),
                *(str(usage.get(bucket, 0)) for bucket in BUCKETS),
                str(picodollars.numerator), "estimated" if estimated else "exact",
            ]))


if __name__ == "__main__":
    main()
