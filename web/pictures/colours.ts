/** Colours from the style sheet, for light and dark. */

/** Red, green, blue, 0 to 255. */
export type Rgb = readonly [number, number, number];

/** The style sheet's colours as text, and colour maps made from them. */
export interface Colours {
  readonly card: string;
  readonly line: string;
  readonly muted: string;
  readonly accent: string;
  readonly warm: string;
  /** Of curves, in order. */
  readonly curves: readonly string[];
  /** −1 to 1 as 256 colours. */
  readonly diverging: readonly Rgb[];
  /** 0 to 1 as 256 colours. */
  readonly rising: readonly Rgb[];
}

const RAMP_COLOURS = 128;
/** Number of colours for curves; further curves take them again. */
export const CURVES = 6;

/** Reads the current colours. */
export function readColours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const text = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const [card, accent, warm] = [text("card"), text("accent"), text("warm")];
  const towardsAccent = ramp(card, accent);
  return {
    card,
    line: text("line"),
    muted: text("muted"),
    accent,
    warm,
    curves: Array.from({ length: CURVES }, (_, i) => text(`curve-${i}`)),
    diverging: [...towardsAccent.toReversed(), ...ramp(card, warm)],
    rising: towardsAccent.flatMap((colour) => [colour, colour]),
  };
}

function ramp(from: string, to: string): Rgb[] {
  const [start, end] = [rgb(from), rgb(to)];
  return Array.from({ length: RAMP_COLOURS }, (_, i) => {
    const share = (i / (RAMP_COLOURS - 1)) ** 0.8;
    const mix = (channel: 0 | 1 | 2) =>
      Math.round(start[channel] + (end[channel] - start[channel]) * share);
    return [mix(0), mix(1), mix(2)];
  });
}

/** @param hex `#rrggbb` */
function rgb(hex: string): Rgb {
  const at = (place: number) => parseInt(hex.slice(place, place + 2), 16);
  return [at(1), at(3), at(5)];
}
