"""The OpenAI SDK through Keywheel: KEYWHEEL_KEY=$(cat .../client.key) python chat.py"""

import os

from openai import AzureOpenAI, OpenAI

BASE = "http://127.0.0.1:4141"
KEY = os.environ["KEYWHEEL_KEY"]
MESSAGES = [{"role": "user", "content": "hello"}]

client = OpenAI(base_url=f"{BASE}/v1", api_key=KEY)
for chunk in client.chat.completions.create(model="sim/echo", messages=MESSAGES, stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()

# programs written for Azure need no change but the endpoint; the deployment's name is the model
azure = AzureOpenAI(azure_endpoint=BASE, api_key=KEY, api_version="2024-10-21")
print(azure.chat.completions.create(model="sim/echo", messages=MESSAGES).choices[0].message.content)
