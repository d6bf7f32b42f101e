"""Networks as hardware: an accelerator in Verilog, its memories, synthesis and routing."""
