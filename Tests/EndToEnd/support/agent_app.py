"""A real backend: FastAPI on uvicorn, as the documented kind of API has it, with answers as Server-Sent Events."""

import asyncio
import hashlib
import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()
cancelled = []
released = asyncio.Semaphore(0)


@app.get("/healthz")
async def health():
    return {"status": "ok"}


@app.get("/api/whoami")
async def whoami(request: Request):
    return {
        "user": request.headers.get("x-user-id"),
        "agent": request.headers.get("x-agent-id"),
        "url": str(request.url),
        "client": request.client.host,
    }


@app.post("/api/echo")
async def echo(request: Request):
    body = await request.body()
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest(), "type": request.headers.get("content-type")}


@app.post("/api/agents/{agent_id}/query/")
async def query(agent_id: str, request: Request):
    message = (await request.json())["message"]

    async def tokens():
        try:
            for word in f"{agent_id} {request.headers['x-user-id']} {message}".split():
                yield f"data: {word}\n\n"
                if message.startswith("step by step"):  # the next word only when this one has arrived
                    await asyncio.wait_for(released.acquire(), 10)
                else:
                    await asyncio.sleep(0.1)
            if message == "for ever":
                while True:
                    yield "data: more\n\n"
                    await asyncio.sleep(0.1)
        finally:
            cancelled.append(message)

    return StreamingResponse(tokens(), media_type="text/event-stream")


@app.post("/api/arrived")
async def arrived():
    released.release()


@app.get("/api/cancelled")
async def cancelled_queries():
    return cancelled


@app.get("/api/redirect")
async def redirect(request: Request):
    return {"url": str(request.url_for("whoami"))}


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", proxy_headers=True, forwarded_allow_ips="127.0.0.1"
    )
