/** How streams of the load generator speak. */

/** Audio of one message. */
export const MESSAGE_MS = 20;
/** Frames completed by earlier messages are not timed: a program's first steps warm it up. */
export const WARM_UP_MESSAGES = 1000 / MESSAGE_MS;
