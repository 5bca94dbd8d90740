/** The version of the project; `deno task release` checks that all its packages have it. */
export const VERSION = "0.1.0";
