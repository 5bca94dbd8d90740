import assert from "node:assert/strict";
import { DATA_TYPES, encodeModel } from "../../../model/engines/onnx_proto.ts";

Deno.test("encodeModel() writes the bytes that ONNX's own Python package writes", () => {
  const bytes = encodeModel({
    producer: "test",
    graph: {
      name: "g",
      nodes: [{
        opType: "Gelu",
        domain: "com.microsoft",
        input: ["x", "w"],
        output: ["y"],
        attributes: { axis: -1, alpha: { float: 0.5 }, mode: "µ", pads: [1, 300] },
      }],
      constants: [
        { name: "w", dataType: DATA_TYPES.int8, dims: [2, 1], rawData: new Uint8Array([255, 2]) },
      ],
      inputs: [{ name: "x", shape: ["B", 200] }],
      outputs: [{ name: "y", shape: ["B"] }],
    },
    opsets: { "": 17, "com.microsoft": 1 },
  });
  // onnx 1.23.2, SerializeToString() of the same model
  assert.equal(
    bytes.toHex(),
    "08081204746573743aa1010a640a01780a0177120179220447656c752a140a046178697318ffffffffffffffffff01" +
      "a001022a0f0a05616c706861150000003fa001012a0d0a046d6f64652202c2b5a001032a0e0a0470616473400140" +
      "ac02a001073a0d636f6d2e6d6963726f736f66741201672a0d0802080110034201774a02ff025a150a017812100a" +
      "0e0801120a0a031201420a0308c80162100a0179120b0a09080112050a0312014242040a00101142110a0d636f6d" +
      "2e6d6963726f736f66741001",
  );
});
