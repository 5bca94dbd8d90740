import assert from "node:assert/strict";
import { Places } from "../../processes/places.ts";

const BOUNDS = { most: 4, ownMost: 3 };
const take = (places: Places, server: number, place: number, owner: string, session?: string) =>
  places.take(server, { place, wanted: { owner, streams: 1, session }, bounds: BOUNDS });

Deno.test("Places.take() bounds the streams of all servers together, and those of each key", () => {
  const places = new Places();
  assert.equal(take(places, 1, 1, "a"), undefined);
  assert.equal(take(places, 2, 1, "a"), undefined);
  assert.equal(take(places, 2, 2, "a"), undefined);
  assert.equal(take(places, 1, 2, "a"), "key");
  assert.equal(take(places, 1, 3, "b"), undefined);
  assert.equal(take(places, 2, 3, "b"), "server");
  places.leave(2, 2);
  assert.equal(take(places, 2, 4, "b"), undefined);
  assert.equal(places.streams, 4);
});

Deno.test("Places.forget() frees what a lost server had, and nothing else", () => {
  const places = new Places();
  take(places, 1, 1, "a");
  take(places, 11, 1, "a");
  take(places, 11, 2, "b");
  places.forget(1);
  assert.equal(places.streams, 2);
  places.forget(11);
  assert.equal(places.streams, 0);
  places.leave(11, 1); // came late
  assert.equal(places.streams, 0);
});

Deno.test("Places counts a session once while it moves from one server to another", () => {
  const places = new Places();
  for (let place = 1; place <= 3; place++) take(places, 1, place, "a");
  places.name(1, { place: 1, session: "s", streams: 1 });
  assert.equal(take(places, 2, 1, "a", "other"), "key");
  assert.equal(take(places, 2, 1, "a", "s"), undefined);
  assert.equal(places.streams, 3);
  places.leave(1, 1); // the older connection has gone
  assert.equal(places.streams, 3);
  places.leave(2, 1);
  assert.equal(places.streams, 2);
});

Deno.test("Places does not free a session's place by a failed resume, or another key", () => {
  const places = new Places();
  for (let place = 1; place <= 3; place++) take(places, 1, place, "a");
  places.name(1, { place: 1, session: "s", streams: 1 });
  take(places, 2, 1, "a", "s");
  places.leave(2, 1);
  assert.equal(take(places, 2, 2, "a"), "key");
  assert.equal(take(places, 2, 3, "b", "s"), undefined);
  assert.equal(places.streams, 4);
});

Deno.test("Places.name() counts a session of several streams as so many", () => {
  const places = new Places();
  take(places, 1, 1, "a", "s");
  places.name(1, { place: 1, session: "s", streams: 2 });
  take(places, 2, 1, "a", "s");
  assert.equal(places.streams, 2);
  places.leave(1, 1);
  places.leave(2, 1);
  assert.equal(places.streams, 0);
});

Deno.test("Places.grow() bounds what sessions of several streams count as once they are resumed", () => {
  const places = new Places();
  take(places, 1, 1, "a", "s");
  take(places, 2, 1, "a", "t");
  const grow = (server: number, place: number, streams: number) =>
    places.grow(server, { place, streams, bounds: BOUNDS });
  assert.equal(grow(1, 1, 2), undefined);
  assert.equal(places.streams, 3);
  assert.equal(grow(2, 1, 2), "key");
  take(places, 1, 2, "b", "u");
  assert.equal(grow(1, 2, 2), "server");
  assert.equal(places.streams, 4, "who is refused counts as before");
  assert.equal(grow(1, 1, 2), undefined, "it has them already");
  assert.equal(grow(2, 9, 2), undefined, "it has gone");
  places.leave(1, 1);
  assert.equal(grow(2, 1, 2), undefined);
  assert.equal(places.streams, 3);
});
