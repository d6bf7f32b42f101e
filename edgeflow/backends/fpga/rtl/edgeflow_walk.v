// Walks through a layer: every cycle the address of an input word and the weights' address.
//
// Six loops, outermost first: output rows and columns, blocks of lanes, the window's rows and
// columns, input channels. Counters run down to zero, and all distances come from the layer's
// description, so that each address is the last one plus one of seven numbers.

module edgeflow_walk #(
    parameter LANE_BITS = 3,
    parameter ADDRESS_BITS = 10,
    parameter WEIGHT_BITS = 10,
    parameter COUNT_BITS = 10,
    parameter PLACE_BITS = 8,
    parameter PAUSE_BITS = 5
) (
    input wire clock,
    input wire start,
    // Iterations less one.
    input wire [COUNT_BITS-1:0] rows, columns, blocks, window_rows, window_columns, channels,
    input wire [ADDRESS_BITS-1:0] base,
    // What is added to the address where a loop goes on, all inner ones beginning anew.
    input wire [ADDRESS_BITS-1:0] next_row, next_column, next_block, next_window_row,
        next_window_column,
    // The place in the image, for padding: where it begins, and what is added to it.
    input wire [PLACE_BITS-1:0] first_y, first_x, height, width,
    input wire [PLACE_BITS-1:0] y_next_row, y_same_row, y_next_window_row,
    input wire [PLACE_BITS-1:0] x_next_row, x_next_column, x_same_column, x_next_window_column,
    input wire [WEIGHT_BITS-1:0] weight_base,
    input wire [PAUSE_BITS-1:0] pause,
    output reg active,
    output wire valid,
    output reg [ADDRESS_BITS-1:0] address,
    output reg [WEIGHT_BITS-1:0] weight_address,
    output reg [LANE_BITS-1:0] select,
    output wire in_image,
    output reg first,
    output wire last,
    output wire finishes
);
    reg [COUNT_BITS-1:0] row, column, block, window_row, window_column, channel;
    // Whether the counters are at zero, known a cycle before.
    reg end_row, end_column, end_block, end_window_row, end_window_column, end_channel;
    reg one_row, one_column, one_block, one_window_row, one_window_column, one_channel;
    reg [PLACE_BITS-1:0] y, x;
    reg [PAUSE_BITS-1:0] paused;
    reg pausing;
    reg starting;

    wire carry_1 = end_channel;
    wire carry_2 = carry_1 & end_window_column;
    wire carry_3 = carry_2 & end_window_row;
    wire carry_4 = carry_3 & end_block;
    wire carry_5 = carry_4 & end_column;
    wire carry_6 = carry_5 & end_row;

    assign valid = active & ~pausing;
    assign last = carry_3;
    assign finishes = carry_6;
    assign in_image = (y < height) & (x < width);

    wire word_ends = &select;

    always @(posedge clock) begin
        starting <= start;
        if (start) begin
            one_row <= rows == 0;
            one_column <= columns == 0;
            one_block <= blocks == 0;
            one_window_row <= window_rows == 0;
            one_window_column <= window_columns == 0;
            one_channel <= channels == 0;
            active <= 1'b0;
        end else if (starting) begin
            active <= 1'b1;
            {row, column, block} <= {rows, columns, blocks};
            {window_row, window_column, channel} <= {window_rows, window_columns, channels};
            {end_row, end_column, end_block} <= {one_row, one_column, one_block};
            end_window_row <= one_window_row;
            end_window_column <= one_window_column;
            end_channel <= one_channel;
            address <= base;
            weight_address <= weight_base;
            {y, x} <= {first_y, first_x};
            select <= 0;
            first <= 1'b1;
            paused <= 0;
            pausing <= 1'b0;
        end else if (pausing) begin
            paused <= paused - 1'b1;
            pausing <= paused != 1;
        end else if (active) begin
            channel <= carry_1 ? channels : channel - 1'b1;
            end_channel <= carry_1 ? one_channel : channel == 1;
            select <= carry_1 ? {LANE_BITS{1'b0}} : select + 1'b1;
            if (carry_1) begin
                window_column <= carry_2 ? window_columns : window_column - 1'b1;
                end_window_column <= carry_2 ? one_window_column : window_column == 1;
            end
            if (carry_2) begin
                window_row <= carry_3 ? window_rows : window_row - 1'b1;
                end_window_row <= carry_3 ? one_window_row : window_row == 1;
            end
            if (carry_3) begin
                block <= carry_4 ? blocks : block - 1'b1;
                end_block <= carry_4 ? one_block : block == 1;
                paused <= pause;
                pausing <= pause != 0;
            end
            if (carry_4) begin
                column <= carry_5 ? columns : column - 1'b1;
                end_column <= carry_5 ? one_column : column == 1;
            end
            if (carry_5) begin
                row <= row - 1'b1;
                end_row <= row == 1;
            end
            if (carry_6) active <= 1'b0;

            first <= carry_3;
            address <= address + (carry_5 ? next_row
                : carry_4 ? next_column
                : carry_3 ? next_block
                : carry_2 ? next_window_row
                : carry_1 ? next_window_column
                : {{(ADDRESS_BITS-1){1'b0}}, word_ends});
            weight_address <= carry_4 ? weight_base : weight_address + 1'b1;
            y <= y + (carry_5 ? y_next_row
                : carry_3 ? y_same_row
                : carry_2 ? y_next_window_row
                : {PLACE_BITS{1'b0}});
            x <= x + (carry_5 ? x_next_row
                : carry_4 ? x_next_column
                : carry_2 ? x_same_column
                : carry_1 ? x_next_window_column
                : {PLACE_BITS{1'b0}});
        end
    end

    initial active = 1'b0;
endmodule
