/** Everything that says who somebody is: keys, tokens, headers, resume tokens, key files, hosts. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { apiKeysOf } from "../../../config/keys.ts";
import { originOf } from "../../../config/origins.ts";
import { below } from "../../../model/seeded.ts";
import { bearerKey, handshakeKey, originCheck } from "../../../routes/auth.ts";
import { hostCheck } from "../../../routes/hosts.ts";
import { Keys } from "../../../routes/keys.ts";
import { serverConfigOf } from "../../../tests/support/config.ts";
import { arbitrary } from "../arbitrary.ts";
import { mutatedJson, mutatedText } from "../mutation.ts";
import { SOCKET_STALL_MS, target } from "../target.ts";

const KEY = "correct horse battery staple";
const FILE = [
  { name: "alice", sha256: createHash("sha256").update("a").digest("hex"), max_streams: 3 },
  {
    name: "bob",
    sha256: createHash("sha256").update("b").digest("hex"),
    requests_per_minute: 60,
  },
];
const HOSTS = ["localhost:8000", "127.0.0.1", "[::1]:80", "example.org", "EXAMPLE.org:443"];

/** Whoever gets in without the key, or whose own token does not work, is a fault. */
export const tokens = target<string>({
  about: "keys and tokens, in headers and subprotocols",
  share: 0.12,
  stallMs: SOCKET_STALL_MS,
  open() {
    const keys = new Keys(apiKeysOf({ apiKeys: [KEY] }, { maxStreams: 1 }));
    const { token } = keys.issueToken(KEY, 3600);
    const seeds = [KEY, token, `Bearer ${token}`, `Bearer ${KEY}`, "bearer64.Y29ycmVjdA=="];
    const any = arbitrary(fc.string({ unit: "binary", maxLength: 300 }));
    return {
      draw: (random) => random() < 0.3 ? any(random) : mutatedText(seeds, random),
      feed(text) {
        const latin = text.replace(/[^\x20-\x7e]/g, "?");
        const headers = new Headers({ "sec-websocket-protocol": `cpc.v1, bearer.${latin}` });
        const header = new Headers({ authorization: latin });
        for (
          const key of [text, bearerKey(latin), handshakeKey(headers), handshakeKey(header)]
        ) {
          if (letsIn(keys, key) && key !== KEY && key !== token) {
            throw new Error(`${JSON.stringify(key)} is let in`);
          }
        }
        keys.ownerOf(text);
      },
    };
  },
});

/** Key files, hosts and origins. */
export const keyFiles = target<string>({
  about: "key files, hosts and origins",
  share: 0.06,
  stallMs: SOCKET_STALL_MS,
  open() {
    const known = hostCheck(serverConfigOf(["--allow-host", "example.org"]));
    const origin = originCheck(["https://friend.example"]);
    return {
      draw(random) {
        if (random() < 0.5) return mutatedText(HOSTS, random);
        return random() < 0.5
          ? JSON.stringify(mutatedJson(FILE, random))
          : mutatedText([JSON.stringify(FILE)], random);
      },
      feed(text) {
        known({ host: text, localAddress: "127.0.0.1" });
        origin(text, "example.org");
        originOf(text);
        apiKeysOf({ apiKeys: [], apiKeysFile: { path: "keys.json", text: () => text } }, {
          maxStreams: below(9, () => 0.5),
        });
      },
    };
  },
});

function letsIn(keys: Keys, key: string | undefined): boolean {
  try {
    keys.ownerOf(key);
    return true;
  } catch {
    return false;
  }
}
