// value * weight a cycle later, in a hardware multiplier or, with SOFT, as a tree of adders in logic: small FPGAs
// have fewer multipliers than lanes.

module edgeflow_product #(
    parameter WEIGHT_WIDTH = 8,
    parameter SOFT = 0
) (
    input wire clock,
    input wire signed [8:0] value,
    input wire signed [WEIGHT_WIDTH-1:0] weight,
    output reg signed [WEIGHT_WIDTH+8:0] product
);
    // The highest bit of two's complement counts as negative.
    generate
        if (SOFT && WEIGHT_WIDTH <= 4) begin : in_little_logic
            wire signed [3:0] bits = weight;
            wire signed [12:0] wide = value;
            wire signed [12:0] low = (bits[0] ? wide : 13'sd0) + (bits[1] ? wide <<< 1 : 13'sd0);
            wire signed [12:0] high = (bits[2] ? wide : 13'sd0) - (bits[3] ? wide <<< 1 : 13'sd0);
            wire signed [12:0] all = low + (high <<< 2);
            always @(posedge clock) product <= all[WEIGHT_WIDTH+8:0];
        end else if (SOFT) begin : in_logic
            wire signed [7:0] bits = weight;
            wire signed [16:0] wide = value;
            wire signed [16:0] pair_0 = (bits[0] ? wide : 17'sd0) + (bits[1] ? wide <<< 1 : 17'sd0);
            wire signed [16:0] pair_1 = (bits[2] ? wide : 17'sd0) + (bits[3] ? wide <<< 1 : 17'sd0);
            wire signed [16:0] pair_2 = (bits[4] ? wide : 17'sd0) + (bits[5] ? wide <<< 1 : 17'sd0);
            wire signed [16:0] pair_3 = (bits[6] ? wide : 17'sd0) - (bits[7] ? wide <<< 1 : 17'sd0);
            reg signed [16:0] four_0, four_1;
            wire signed [16:0] eight = four_0 + (four_1 <<< 4);
            always @(posedge clock) begin
                four_0 <= pair_0 + (pair_1 <<< 2);
                four_1 <= pair_2 + (pair_3 <<< 2);
            end
            always @* product = eight[WEIGHT_WIDTH+8:0];
        end else begin : in_multiplier
            always @(posedge clock) product <= value * weight;
        end
    endgenerate
endmodule
