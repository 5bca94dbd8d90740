import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import {
  idOfConnection,
  refuseHandshake,
  REQUEST_ID_CHARACTERS,
  requestIdLine,
  requestIdOf,
} from "../../routes/request_id.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

Deno.test("requestIdOf() keeps ids of up to 128 characters, and makes others", () => {
  const longest = "x".repeat(128);
  for (const given of ["a", "call-7", "A_b=9", longest]) {
    assert.equal(requestIdOf({ headers: { "x-request-id": given } }), given);
  }
  for (const given of [undefined, "", "no id", "é", "a/b", `${longest}x`, ["a", "b"]]) {
    const request = { headers: { "x-request-id": given as string } };
    const made = requestIdOf(request);
    assert.match(made, UUID, String(given));
    assert.equal(requestIdOf(request), made, "it has it from then on");
  }
  assert.equal(REQUEST_ID_CHARACTERS, longest.length); // Hono takes no longer ones either
});

Deno.test("idOfConnection() is that of the request, and of none without a connection", () => {
  const incoming = { headers: { "x-request-id": "call-8" } };
  assert.equal(idOfConnection({ env: { incoming } }), "call-8");
  for (const env of [undefined, {}]) assert.equal(idOfConnection({ env }), undefined);
  assert.equal(requestIdLine(incoming), "X-Request-Id: call-8");
});

Deno.test("refuseHandshake() answers 400 in full and then ends the connection", () => {
  let [said, isGone] = ["", false];
  const socket = Object.assign(new EventEmitter(), {
    end: (text: string) => void (said = text),
    destroy: () => void (isGone = true),
  });
  const request = { headers: { "x-request-id": "call-9" } };
  refuseHandshake(new Error("wröng"), { socket: socket as EventEmitter as Duplex, request });
  const body = '{"error":{"code":"invalid_message","message":"wröng"}}';
  assert.equal(
    said,
    [
      "HTTP/1.1 400 Bad Request",
      "Connection: close",
      "Content-Type: application/json",
      `Content-Length: ${new TextEncoder().encode(body).length}`,
      "Sec-WebSocket-Version: 13",
      "X-Request-Id: call-9",
      "",
      body,
    ].join("\r\n"),
  );
  assert.equal(isGone, false);
  socket.emit("finish");
  assert.equal(isGone, true);
});
