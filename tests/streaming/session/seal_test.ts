import assert from "node:assert/strict";
import { newKey, newToken, partsOf, seal, unseal } from "../../../streaming/session/seal.ts";

const secret = new TextEncoder().encode("what a session knows");

Deno.test("seal() adds 28 bytes, never the same; unseal() opens what was sealed alone", () => {
  const [key, other] = [newKey(), newKey()];
  const sealed = Array.from({ length: 600 }, () => seal(key, "of a session", secret));
  assert.equal(new Set(sealed.map((bytes) => bytes.subarray(0, 12).toHex())).size, sealed.length);
  for (const bytes of sealed) {
    assert.equal(bytes.length, secret.length + 12 + 16);
    assert.deepEqual(new Uint8Array(unseal(key, "of a session", bytes)), secret);
  }
  const [whole] = sealed;
  assert.throws(() => unseal(other, "of a session", whole!));
  assert.throws(() => unseal(key, "of another", whole!));
  for (const at of [0, 12, whole!.length - 1]) {
    const changed = Uint8Array.from(whole!);
    changed[at]! ^= 1;
    assert.throws(() => unseal(key, "of a session", changed), `byte ${at}`);
  }
});

Deno.test("partsOf() gives all tokens of a session one place, each its key and name", () => {
  const first = partsOf(newToken())!;
  const next = partsOf(newToken(first.locator))!;
  assert.deepEqual([next.locator, next.id], [first.locator, first.id]);
  assert.notDeepEqual(next.key, first.key);
  assert.notEqual(next.hash, first.hash);
  assert.notEqual(partsOf(newToken())!.id, first.id);
  assert.deepEqual([first.locator.length, first.key.length, first.id.length], [16, 32, 22]);
  for (const token of ["", newToken().slice(1), `${newToken()}A`, newToken().replace(/^./, "+")]) {
    assert.equal(partsOf(token), undefined, token);
  }
});
