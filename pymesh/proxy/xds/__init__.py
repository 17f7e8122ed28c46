"""From the control plane to the data plane: long-poll client, decoders by xDS noun, the runtime that applies them."""
