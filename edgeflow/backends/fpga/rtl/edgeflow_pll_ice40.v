// The board's oscillator, on the PLL's own pin, brought to the design's clock:
// oscillator * MULTIPLY / 2**DIVIDE, where oscillator * MULTIPLY is what the VCO runs at.

module edgeflow_pll #(
    parameter MULTIPLY = 64,
    parameter DIVIDE = 5
) (
    input wire oscillator,
    output wire clock,
    output wire locked
);
    SB_PLL40_PAD #(
        .FEEDBACK_PATH("SIMPLE"), .DIVR(4'd0), .DIVF(MULTIPLY - 1), .DIVQ(DIVIDE),
        .FILTER_RANGE(3'd1)
    ) pll (
        .LOCK(locked), .RESETB(1'b1), .BYPASS(1'b0), .PACKAGEPIN(oscillator), .PLLOUTCORE(clock)
    );
endmodule
