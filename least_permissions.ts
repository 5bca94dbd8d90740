/**
 * Gives up what this start of the server does not need, before anything else is loaded. Only a
 * store in a file writes files.
 */
const writes = [Deno.env.get("CPC_STORE") ?? "", ...Deno.args].some((text) =>
  /^(--store=)?sqlite:/.test(text)
);
if (!writes) await Deno.permissions.revoke({ name: "write" });

export {};
