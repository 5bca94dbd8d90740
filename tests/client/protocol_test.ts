import type { STREAM_ENCODINGS } from "../../audio/stream_encodings.ts";
import type * as Client from "../../client/protocol.ts";
import type { ClientMessage } from "../../streaming/protocol/client_messages.ts";
import type * as Server from "../../streaming/protocol/messages.ts";
import type { Selection } from "../../streaming/protocol/selection.ts";

/** Each takes the other's place, and no member is in one of them alone. */
type Same<A, B> = [A, B] extends [B, A] ? SameMembers<NonNullable<A>, NonNullable<B>> : false;
type SameMembers<A, B> = [A, B] extends [readonly (infer X)[], readonly (infer Y)[]] ? Same<X, Y>
  : [A] extends [object]
    ? [keyof A, keyof B] extends [keyof B, keyof A]
      ? false extends { [K in keyof A]-?: Same<A[K], K extends keyof B ? B[K] : never> }[keyof A]
        ? false
      : true
    : false
  : true;
/** The message of a union with this `type`. */
type Of<Union extends { type: string }, T extends Union["type"]> = Extract<Union, { type: T }>;

// Where one of these does not compile, client/protocol.ts no longer says what the server does.
Deno.test("client/protocol.ts has the types of the server's schemas", () => {
  const same: {
    selection: Same<Client.Selection, Omit<Selection, "voice">>;
    encodings: Same<Client.Encoding, (typeof STREAM_ENCODINGS)[number]>;
    frames: Same<Client.FramesMessage, Server.FramesMessage>;
    head: Same<Client.HeadMessage, Server.HeadMessage>;
    fromClient: {
      [T in ClientMessage["type"]]: Same<
        Of<Client.ClientMessage, T>,
        Of<ClientMessage, T>
      >;
    };
    fromServer: {
      [T in Server.ServerMessage["type"]]: Same<
        Of<Client.ServerMessage, T>,
        Of<Server.ServerMessage, T>
      >;
    };
    noOthers: Same<Client.ServerMessage["type"], Server.ServerMessage["type"]>;
  } = {
    selection: true,
    encodings: true,
    frames: true,
    head: true,
    fromClient: { mark: true, reset: true, update: true, keep_alive: true, finish: true },
    fromServer: {
      ready: true,
      marked: true,
      reset: true,
      updated: true,
      event: true,
      done: true,
      warning: true,
      error: true,
    },
    noOthers: true,
  };
  void same;
});
