// One multiply-accumulate lane: three cycles from operands to the sum.
//
// Mode 0 and 1 add products, mode 2 keeps the largest value, mode 3 keeps the last two bytes.

module edgeflow_lane #(
    parameter WEIGHT_WIDTH = 8,
    parameter SUM_BITS = 24,
    parameter SOFT = 0
) (
    input wire clock,
    input wire [1:0] mode,
    input wire valid,
    input wire first,
    input wire signed [8:0] value,
    input wire signed [WEIGHT_WIDTH-1:0] weight,
    output reg signed [SUM_BITS-1:0] sum
);
    reg signed [WEIGHT_WIDTH+8:0] product;
    reg valid_multiplied, first_multiplied, valid_product, first_product;
    wire signed [SUM_BITS-1:0] wide = {{(SUM_BITS-WEIGHT_WIDTH-9){product[WEIGHT_WIDTH+8]}}, product};

    wire signed [WEIGHT_WIDTH+8:0] multiplied;
    edgeflow_product #(.WEIGHT_WIDTH(WEIGHT_WIDTH), .SOFT(SOFT)) multiply (
        .clock(clock), .value(value), .weight(weight), .product(multiplied)
    );

    always @(posedge clock) begin
        product <= multiplied;
        {valid_product, valid_multiplied} <= {valid_multiplied, valid};
        {first_product, first_multiplied} <= {first_multiplied, first};
        if (valid_product) begin
            case (mode)
                2'd2: if (first_product || wide > sum) sum <= wide;
                2'd3: sum <= {{(SUM_BITS-16){1'b0}}, first_product ? 8'd0 : sum[7:0], product[7:0]};
                default: sum <= (first_product ? {SUM_BITS{1'b0}} : sum) + wide;
            endcase
        end
    end
endmodule
