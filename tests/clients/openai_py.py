"""The OpenAI Python SDK as its users meet the gateway: one scenario per run, one line of JSON about what the SDK saw.

usage: openai_py.py SCENARIO, with KW_BASE, KW_KEY, KW_MODEL (uds: KW_SOCKET instead of KW_BASE) in the environment.
KW_RETRIES (0), KW_TIMEOUT in seconds (30) and KW_PROMPT may be set. Exit 1 if the SDK raised where no error was
expected.
"""

import json
import os
import sys

import openai

ENV = os.environ
MODEL = ENV.get("KW_MODEL", "")
PROMPT = ENV.get("KW_PROMPT", "Say hello.")
MESSAGES = [{"role": "user", "content": PROMPT}]


def common():
    return {
        "api_key": ENV.get("KW_KEY") or "none",
        "max_retries": int(ENV.get("KW_RETRIES", "0")),
        "timeout": float(ENV.get("KW_TIMEOUT", "30")),
    }


def client():
    return openai.OpenAI(base_url=ENV["KW_BASE"] + "/v1", **common())


def azure_client():
    return openai.AzureOpenAI(azure_endpoint=ENV["KW_BASE"], api_version="2024-10-21", **common())


def uds_client():
    import httpx2

    transport = httpx2.HTTPTransport(uds=ENV["KW_SOCKET"])
    http = openai.DefaultHttpxClient(transport=transport)
    return openai.OpenAI(base_url="http://localhost/v1", http_client=http, **common())


def usage_of(usage):
    return usage.model_dump(exclude_none=True) if usage else None


def gateway_headers(headers):
    return {name: value for name, value in headers.items() if name.startswith("x-keywheel-")}


def chat(api, seen):
    raw = api.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    seen["status"] = raw.status_code
    seen["headers"] = gateway_headers(raw.headers)
    done = raw.parse()
    seen["model"] = done.model
    seen["text"] = done.choices[0].message.content
    seen["finish_reason"] = done.choices[0].finish_reason
    seen["usage"] = usage_of(done.usage)


def stream(api, seen):
    seen.update(text="", chunks=0, finish_reason=None, usage=None, clean_end=False)
    chunks = api.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    seen["status"] = chunks.response.status_code
    seen["headers"] = gateway_headers(chunks.response.headers)
    for chunk in chunks:
        seen["chunks"] += 1
        seen["model"] = chunk.model
        seen["usage"] = usage_of(chunk.usage) or seen["usage"]
        for choice in chunk.choices:
            # Azure sends chunks without a delta; the SDK then has none
            seen["text"] += (choice.delta and choice.delta.content) or ""
            seen["finish_reason"] = choice.finish_reason or seen["finish_reason"]
    seen["clean_end"] = True


def responses(api, seen):
    raw = api.responses.with_raw_response.create(model=MODEL, input=PROMPT)
    seen["status"] = raw.status_code
    seen["headers"] = gateway_headers(raw.headers)
    done = raw.parse()
    seen.update(model=done.model, state=done.status, text=done.output_text, usage=usage_of(done.usage))


def responses_stream(api, seen):
    seen.update(text="", events=[], usage=None, clean_end=False)
    events = api.responses.create(model=MODEL, input=PROMPT, stream=True)
    seen["status"] = events.response.status_code
    seen["headers"] = gateway_headers(events.response.headers)
    for event in events:
        if seen["events"][-1:] != [event.type]:
            seen["events"].append(event.type)  # a run of equal events counts once
        if event.type == "response.output_text.delta":
            seen["text"] += event.delta
        if event.type == "response.completed":
            seen["usage"] = usage_of(event.response.usage)
    seen["clean_end"] = True


def responses_helper(api, seen):
    # the SDK's own reader of streams holds every event against those before it
    seen.update(text="", thoughts="")
    with api.responses.stream(model=MODEL, input=PROMPT, reasoning={"effort": "low", "summary": "auto"}) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                seen["text"] += event.delta
                seen["snapshot"] = event.snapshot
            if event.type == "response.reasoning_summary_text.delta":
                seen["thoughts"] += event.delta
        done = events.get_final_response()
    seen.update(state=done.status, final=done.output_text, usage=usage_of(done.usage), model=done.model)
    seen["kinds"] = [item.type for item in done.output]
    whole = api.responses.create(model=MODEL, input=PROMPT)
    thoughts = [part.text for item in whole.output if item.type == "reasoning" for part in item.summary]
    seen["whole"] = {"text": whole.output_text, "thoughts": "".join(thoughts), "usage": usage_of(whole.usage)}


def responses_tool(api, seen):
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    with api.responses.stream(model=MODEL, input=PROMPT, tools=[tool]) as events:
        calls = [item for item in events.get_final_response().output if item.type == "function_call"]
    seen["calls"] = [{"name": call.name, "arguments": call.arguments, "id": call.call_id} for call in calls]


def embeddings(api, seen):
    # no encoding_format: the SDK then asks for base64 and decodes it
    done = api.embeddings.create(model=MODEL, input=["one", "two"])
    seen.update(
        model=done.model,
        count=len(done.data),
        dimensions=len(done.data[0].embedding),
        first=done.data[0].embedding[:3],
        usage=usage_of(done.usage),
    )


def models(api, seen):
    seen["ids"] = [model.id for model in api.models.list()]


def describe(error):
    response = getattr(error, "response", None)
    return {
        "class": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "message": body_message(error),
        "retry_after": response.headers.get("retry-after") if response is not None else None,
        "headers": gateway_headers(response.headers) if response is not None else None,
        "cause": type(error.__cause__).__name__ if error.__cause__ else None,
    }


def body_message(error):
    body = getattr(error, "body", None)
    if isinstance(body, dict) and body.get("message"):
        return body["message"]
    return getattr(error, "message", None) or str(error)


SCENARIOS = {
    "chat": (client, chat),
    "stream": (client, stream),
    "responses": (client, responses),
    "responses_stream": (client, responses_stream),
    "responses_helper": (client, responses_helper),
    "responses_tool": (client, responses_tool),
    "embeddings": (client, embeddings),
    "azure": (azure_client, chat),
    "azure_stream": (azure_client, stream),
    "models": (client, models),
    "expect_error": (client, chat),
    "cut_stream": (client, stream),
    "uds": (uds_client, chat),
}


def main(name):
    connect, run = SCENARIOS[name]
    seen = {"scenario": name, "error": None}
    try:
        with connect() as api:
            run(api, seen)
    except Exception as error:
        seen["error"] = describe(error)
    print(json.dumps(seen))
    return int(seen["error"] is not None and name not in ("expect_error", "cut_stream"))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in SCENARIOS:
        sys.exit(main(sys.argv[1]))
    sys.exit("usage: openai_py.py " + "|".join(SCENARIOS))
