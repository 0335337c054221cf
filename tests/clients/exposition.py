"""Reads a page of counters with Prometheus's own parser: KW_PAGE is the file."""

import json
import os

from prometheus_client.parser import text_string_to_metric_families

with open(os.environ["KW_PAGE"], encoding="utf-8") as page:
    families = list(text_string_to_metric_families(page.read()))
requests = next(family for family in families if family.name == "keywheel_requests")
print(json.dumps({
    "families": len(families),
    "types": sorted({family.type for family in families}),
    "requests": sum(sample.value for sample in requests.samples),
}))
