/** The pickle opcodes that carry their value with them. */
import type { ByteReader } from "./byte_reader.ts";
import { OP, opcodeName } from "./pickle_opcodes.ts";
import type { PickleValue } from "./pickle_values.ts";
import { refuse } from "./refuse.ts";

/**
 * Reads the number, text or byte string behind an opcode.
 *
 * @throws {CpcError} `checkpoint_invalid` when it is cut short, and for every opcode that the
 *   unpickler does not take, by name
 */
export function readLiteral(opcode: number, reader: ByteReader): PickleValue {
  switch (opcode) {
    case OP.BININT:
      return reader.u32() | 0;
    case OP.BININT1:
      return reader.u8();
    case OP.BININT2:
      return reader.u16();
    case OP.LONG1:
      return reader.integer(reader.u8());
    case OP.LONG4:
      return reader.integer(reader.u32());
    case OP.BINFLOAT:
      return reader.f64BigEndian();
    case OP.SHORT_BINUNICODE:
    case OP.SHORT_BINSTRING:
      return reader.text(reader.u8());
    case OP.BINUNICODE:
    case OP.BINSTRING:
      return reader.text(reader.u32());
    case OP.BINUNICODE8:
      return reader.text(reader.length8());
    case OP.SHORT_BINBYTES:
      return reader.bytes(reader.u8());
    case OP.BINBYTES:
      return reader.bytes(reader.u32());
    case OP.BINBYTES8:
      return reader.bytes(reader.length8());
    default:
      return refuse(
        `its pickle has ${opcodeName(opcode)} at byte ${
          reader.at - 1
        }: damaged, or not made of plain data`,
      );
  }
}
