// Sums to bytes, one a cycle, seven cycles later:
//
//     w = multiplier * sum + offset;  v = (w, less 2**turn where w < 2**(SHIFT - 1)) >> SHIFT
//
// then the zero point and the clamp. A turn of 0 takes nothing off. The product is made of four, each
// of which fits a hardware multiplier.

module edgeflow_requantize #(
    parameter SUM_BITS = 24,
    parameter MULTIPLIER_BITS = 30,
    parameter OFFSET_BITS = 42,
    parameter TURN_BITS = 6,
    parameter WIDE_BITS = 48,
    parameter HALF = 17,
    parameter SHIFT = 34,
    parameter HAS_TURNS = 1
) (
    input wire clock,
    input wire valid,
    input wire signed [SUM_BITS-1:0] sum,
    input wire [MULTIPLIER_BITS-1:0] multiplier,
    input wire signed [OFFSET_BITS-1:0] offset,
    input wire [TURN_BITS-1:0] turn,
    input wire signed [7:0] zero_point, minimum, maximum,
    output reg ready,
    output reg signed [7:0] value
);
    localparam HIGH_SUM = SUM_BITS - HALF;
    localparam HIGH_MULTIPLIER = MULTIPLIER_BITS - HALF;
    localparam VALUE_BITS = WIDE_BITS - SHIFT;

    wire signed [HALF:0] sum_low = {1'b0, sum[HALF-1:0]};
    wire signed [HIGH_SUM-1:0] sum_high = sum[SUM_BITS-1:HALF];
    wire signed [HALF:0] multiplier_low = {1'b0, multiplier[HALF-1:0]};
    wire signed [HIGH_MULTIPLIER:0] multiplier_high = {1'b0, multiplier[MULTIPLIER_BITS-1:HALF]};

    reg signed [2*HALF+1:0] low_low;
    reg signed [HIGH_SUM+HALF:0] high_low;
    reg signed [HALF+HIGH_MULTIPLIER+1:0] low_high;
    reg signed [HIGH_SUM+HIGH_MULTIPLIER:0] high_high;
    reg signed [OFFSET_BITS-1:0] offset_1;
    reg [TURN_BITS-1:0] turn_1, turn_2, turn_3;
    reg signed [WIDE_BITS-1:0] outer, middle, wide, kept, turned;
    reg [WIDE_BITS-1:0] taken;
    reg below;
    reg signed [VALUE_BITS:0] moved;
    reg [5:0] valids;

    wire signed [WIDE_BITS-1:0] wide_low_low = low_low;
    wire signed [WIDE_BITS-1:0] wide_high_high = high_high;
    wire signed [WIDE_BITS-1:0] wide_high_low = high_low;
    wire signed [WIDE_BITS-1:0] wide_low_high = low_high;
    wire signed [WIDE_BITS-1:0] wide_offset = offset_1;
    wire signed [VALUE_BITS:0] whole = $signed(turned[WIDE_BITS-1:SHIFT]);
    wire signed [VALUE_BITS:0] wide_zero_point = zero_point;
    wire signed [VALUE_BITS:0] wide_minimum = minimum;
    wire signed [VALUE_BITS:0] wide_maximum = maximum;

    always @(posedge clock) begin
        // 1: products
        low_low <= sum_low * multiplier_low;
        high_low <= sum_high * multiplier_low;
        low_high <= sum_low * multiplier_high;
        high_high <= sum_high * multiplier_high;
        offset_1 <= offset;
        turn_1 <= turn;
        // 2: two sums
        outer <= wide_low_low + (wide_high_high <<< (2 * HALF)) + wide_offset;
        middle <= wide_high_low + wide_low_high;
        turn_2 <= turn_1;
        // 3: w
        wide <= outer + (middle <<< HALF);
        turn_3 <= turn_2;
        // 4, 5: the turn
        kept <= wide;
        taken <= turn_3 == 0 ? {WIDE_BITS{1'b0}} : {{(WIDE_BITS-1){1'b0}}, 1'b1} << turn_3;
        below <= $signed(wide[WIDE_BITS-1:SHIFT-1]) <= 0;
        // 6: the zero point; 7: the clamp
        moved <= whole + wide_zero_point;
        value <= moved < wide_minimum ? minimum : moved > wide_maximum ? maximum : moved[7:0];
        {ready, valids} <= {valids, valid};
    end

    generate
        if (HAS_TURNS) begin : with_turns
            always @(posedge clock) turned <= kept - (below ? $signed(taken) : 0);
        end else begin : without_turns
            always @(posedge clock) turned <= kept;
        end
    endgenerate

    initial {ready, valids} = 0;
endmodule
