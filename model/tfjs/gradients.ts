/** Registers the gradients that TensorFlow.js's core leaves out. */
import "@tensorflow/tfjs-layers";
