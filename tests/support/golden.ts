/** Golden values, which `deno task doctor --check` holds engines against as well. */
export * from "../../conformance/golden.ts";
