// The accelerator: bytes of an input in, bytes of its answer out, layer after layer in between.
//
// Feature maps lie in one memory of words of LANES channels. A walk reads a word and a word of weights
// every cycle; lanes add products; where a block of outputs is complete, its sums move to `sums`,
// from which one a cycle is requantized while the lanes go on. A layer begins before the last outputs
// of the one before it are written: the compiler knows every cycle, and says how long to wait.

module edgeflow_core (
    input wire clock,
    input wire reset,
    input wire given_valid,
    output wire given_ready,
    input wire [7:0] given,
    output wire answer_valid,
    input wire answer_ready,
    output wire [7:0] answer,
    output wire busy
);
`include "edgeflow_network.vh"

    localparam LOADING = 3'd0, FETCHING = 3'd1, STARTING = 3'd2, RUNNING = 3'd3, WAITING = 3'd4,
        FINISHING = 3'd5, SENDING = 3'd6;
    localparam WORD = 8 * LANES;

    reg [2:0] state;
    reg [LAYER_BITS-1:0] layer;
    reg [DESCRIPTION_BITS-1:0] description;
    assign busy = state != LOADING;

    // ---- the layer's description
`include "edgeflow_fields.vh"

    // ---- memory of feature maps
    wire [ADDRESS_BITS-1:0] read_address;
    wire [WORD-1:0] read_word;
    reg write;
    reg [ADDRESS_BITS-1:0] write_address;
    reg [WORD-1:0] write_word;
    edgeflow_ram #(.WIDTH(WORD), .DEPTH(MEMORY_WORDS), .ADDRESS_BITS(ADDRESS_BITS)) features (
        .clock(clock), .address(read_address), .value(read_word),
        .write(write), .write_address(write_address), .write_value(write_word)
    );

    // ---- the walk
    wire walk_active, walk_valid, walk_in_image, walk_first, walk_last, walk_finishes;
    wire [ADDRESS_BITS-1:0] walk_address;
    wire [WEIGHT_BITS-1:0] weight_address;
    wire [LANE_BITS-1:0] walk_select;
    edgeflow_walk #(
        .LANE_BITS(LANE_BITS), .ADDRESS_BITS(ADDRESS_BITS), .WEIGHT_BITS(WEIGHT_BITS),
        .COUNT_BITS(COUNT_BITS), .PLACE_BITS(PLACE_BITS), .PAUSE_BITS(PAUSE_BITS)
    ) walk (
        .clock(clock), .start(state == STARTING),
        .rows(f_rows), .columns(f_columns), .blocks(f_blocks),
        .window_rows(f_window_rows), .window_columns(f_window_columns), .channels(f_channels),
        .base(f_base), .next_row(f_next_row), .next_column(f_next_column),
        .next_block(f_next_block), .next_window_row(f_next_window_row),
        .next_window_column(f_next_window_column),
        .first_y(f_first_y), .first_x(f_first_x), .height(f_height), .width(f_width),
        .y_next_row(f_y_next_row), .y_same_row(f_y_same_row),
        .y_next_window_row(f_y_next_window_row),
        .x_next_row(f_x_next_row), .x_next_column(f_x_next_column),
        .x_same_column(f_x_same_column), .x_next_window_column(f_x_next_window_column),
        .weight_base(f_weight_base), .pause(f_pause),
        .active(walk_active), .valid(walk_valid), .address(walk_address),
        .weight_address(weight_address), .select(walk_select), .in_image(walk_in_image),
        .first(walk_first), .last(walk_last), .finishes(walk_finishes)
    );

    // ---- operands: the word a cycle later, a copy of it, the channel that all lanes may get, then what they get
    wire [LANES*WEIGHT_WIDTH-1:0] weights_3;
    edgeflow_weights weights (.clock(clock), .address(weight_address), .value(weights_3));

    reg [4:1] valids, firsts, lasts;
    reg [3:1] in_images;
    reg [LANE_BITS-1:0] select_1, select_2;
    reg [WORD-1:0] word_2, word_3;
    reg [7:0] selected_3;
    reg [LANES*WEIGHT_WIDTH-1:0] weights_4;
    reg [LANES*9-1:0] values_4;
    integer i;
    always @(posedge clock) begin
        valids <= {valids[3:1], walk_valid};
        firsts <= {firsts[3:1], walk_first};
        lasts <= {lasts[3:1], walk_last};
        in_images <= {in_images[2:1], walk_in_image};
        {select_2, select_1} <= {select_1, walk_select};
        word_2 <= read_word;
        selected_3 <= word_2[8*select_2 +: 8];
        word_3 <= word_2;
        for (i = 0; i < LANES; i = i + 1) begin
            values_4[9*i +: 9] <= !in_images[3] ? 9'sd0
                : $signed(f_broadcast ? selected_3 : word_3[8*i +: 8]) - $signed(f_input_zero_point);
            weights_4[WEIGHT_WIDTH*i +: WEIGHT_WIDTH] <= f_unit ? {{(WEIGHT_WIDTH-1){1'b0}}, 1'b1}
                : weights_3[WEIGHT_WIDTH*i +: WEIGHT_WIDTH];
        end
    end

    // ---- lanes
    wire [LANES*SUM_BITS-1:0] lane_sums;
    genvar n;
    generate
        for (n = 0; n < LANES; n = n + 1) begin : lanes
            edgeflow_lane #(.WEIGHT_WIDTH(WEIGHT_WIDTH), .SUM_BITS(SUM_BITS), .SOFT(SOFT_LANES)) lane (
                .clock(clock), .mode(f_mode), .valid(valids[4]), .first(firsts[4]),
                .value(values_4[9*n +: 9]), .weight(weights_4[WEIGHT_WIDTH*n +: WEIGHT_WIDTH]),
                .sum(lane_sums[SUM_BITS*n +: SUM_BITS])
            );
        end
    endgenerate
    reg complete_5, complete_6, complete;
    always @(posedge clock)
        {complete, complete_6, complete_5} <= {complete_6, complete_5, valids[4] & lasts[4]};

    // ---- complete sums, one a cycle
    reg [LANES*SUM_BITS-1:0] sums;
    reg [LANE_BITS:0] left;
    reg fresh;
    reg tail_table;
    reg [COUNT_BITS-1:0] tail_blocks, block;
    reg [CHANNEL_BITS-1:0] tail_channel_base, channel;
    reg next_valid;
    reg [5:0] next_in;
    reg [23:0] next_tail;
    reg [ADDRESS_BITS-1:0] next_result;
    reg signed [7:0] zero_point, minimum, maximum;
    wire draining = left != 0;
    always @(posedge clock) begin
        if (complete) begin
            sums <= lane_sums;
            left <= LANES;
            fresh <= 1'b0;
            if (fresh) begin
                tail_table <= f_table;
                tail_blocks <= f_blocks;
                block <= f_blocks;
                tail_channel_base <= f_channel_base;
                channel <= f_channel_base;
                next_tail <= {f_zero_point, f_minimum, f_maximum};
                next_result <= f_result;
            end else begin
                block <= block == 0 ? tail_blocks : block - 1'b1;
                channel <= tail_table || block == 0 ? tail_channel_base : channel + 1'b1;
            end
        end else if (draining) begin
            sums <= sums >> SUM_BITS;
            left <= left - 1'b1;
            if (left != 1 && !tail_table) channel <= channel + 1'b1;
        end
        if (state == STARTING) fresh <= 1'b1;
        next_in <= {next_in[4:0], complete & fresh};
        if (next_in[5]) {zero_point, minimum, maximum} <= next_tail;
        if (reset) left <= 0;
    end

    // ---- their constants and tables
    wire [CONSTANT_BITS-1:0] constants;
    reg [CONSTANT_BITS-1:0] constants_2;
    edgeflow_rom #(
        .WIDTH(CONSTANT_BITS), .DEPTH(CHANNELS), .ADDRESS_BITS(CHANNEL_BITS),
        .CONTENT("constants.hex")
    ) channels (.clock(clock), .address(channel), .value(constants));

    reg drain_1, drain_2, table_1;
    reg signed [SUM_BITS-1:0] sum_1, sum_2;
    wire signed [SUM_BITS-1:0] table_sum;
    always @(posedge clock) begin
        {drain_2, drain_1} <= {drain_1, draining};
        table_1 <= tail_table;
        sum_1 <= sums[SUM_BITS-1:0];
        sum_2 <= table_1 ? table_sum : sum_1;
        constants_2 <= constants;
    end
    generate
        if (TABLES > 0) begin : with_tables
            reg [TABLE_BITS-1:0] tail_number;
            always @(posedge clock) if (complete & fresh) tail_number <= f_table_number;
            wire signed [TABLE_WIDTH-1:0] left_value, right_value;
            // Bytes with their sign turned are places in a table.
            edgeflow_rom #(
                .WIDTH(TABLE_WIDTH), .DEPTH(256*TABLES), .ADDRESS_BITS(TABLE_BITS+8),
                .CONTENT("left.hex")
            ) left_table (
                .clock(clock), .address({tail_number, sums[15:8] ^ 8'h80}), .value(left_value)
            );
            edgeflow_rom #(
                .WIDTH(TABLE_WIDTH), .DEPTH(256*TABLES), .ADDRESS_BITS(TABLE_BITS+8),
                .CONTENT("right.hex")
            ) right_table (
                .clock(clock), .address({tail_number, sums[7:0] ^ 8'h80}), .value(right_value)
            );
            assign table_sum = left_value + right_value;
        end else begin : without_tables
            assign table_sum = 0;
        end
    endgenerate

    wire requantized;
    wire [7:0] byte_out;
    edgeflow_requantize #(
        .SUM_BITS(SUM_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS), .OFFSET_BITS(OFFSET_BITS),
        .TURN_BITS(TURN_BITS), .WIDE_BITS(WIDE_BITS), .HALF(HALF), .SHIFT(SHIFT),
        .HAS_TURNS(HAS_TURNS)
    ) requantize (
        .clock(clock), .valid(drain_2), .sum(sum_2),
        .multiplier(constants_2[MULTIPLIER_BITS-1:0]),
        .offset(constants_2[MULTIPLIER_BITS +: OFFSET_BITS]),
        .turn(constants_2[MULTIPLIER_BITS+OFFSET_BITS +: TURN_BITS]),
        .zero_point(zero_point), .minimum(minimum), .maximum(maximum),
        .ready(requantized), .value(byte_out)
    );

    // ---- words of results, and of the input
    reg [WORD-1:0] gathered;
    reg [LANE_BITS-1:0] gathered_count;
    reg gathered_word;
    reg [ADDRESS_BITS-1:0] result;
    reg [7:0] pending;
    reg [LANE_BITS-1:0] given_lane;
    reg [COUNT_BITS-1:0] given_channel;
    reg [ADDRESS_BITS-1:0] given_address;
    reg [ADDRESS_BITS-1:0] given_left;
    reg [WORD-1:0] given_word;
    wire taken = given_valid & given_ready;
    wire given_pixel_ends = given_channel == GIVEN_CHANNELS - 1;
    wire given_word_ends = given_pixel_ends | (&given_lane);
    assign given_ready = state == LOADING;
    always @(posedge clock) begin
        write <= 1'b0;
        gathered_word <= 1'b0;
        if (requantized) begin
            gathered <= {byte_out, gathered[WORD-1:8]};
            gathered_count <= gathered_count + 1'b1;
            gathered_word <= &gathered_count;
        end
        if (gathered_word) begin
            write <= 1'b1;
            write_address <= result;
            write_word <= gathered;
            result <= result + 1'b1;
        end
        if (next_in[5]) result <= next_result;
        pending <= pending + {7'd0, walk_valid & walk_last} - {7'd0, gathered_word};
        if (taken) begin
            given_word[8*given_lane +: 8] <= given;
            given_lane <= given_word_ends ? {LANE_BITS{1'b0}} : given_lane + 1'b1;
            given_channel <= given_pixel_ends ? {COUNT_BITS{1'b0}} : given_channel + 1'b1;
            if (given_word_ends) begin
                write <= 1'b1;
                write_address <= given_address;
                write_word <= given_word;
                write_word[8*given_lane +: 8] <= given;
                given_address <= given_address + 1'b1;
                given_left <= given_left - 1'b1;
            end
        end
        if (reset || state == SENDING) begin
            given_address <= GIVEN_BASE;
            given_left <= GIVEN_WORDS - 1;
            given_lane <= 0;
            given_channel <= 0;
            gathered_count <= 0;
            pending <= 0;
        end
    end

    // ---- the answer
    reg [ADDRESS_BITS-1:0] sent_address, sent_left;
    reg [LANE_BITS-1:0] sent_lane;
    reg [COUNT_BITS-1:0] sent_channel;
    reg [1:0] sent_wait;
    reg [7:0] sent_byte;
    wire sent_pixel_ends = sent_channel == ANSWER_CHANNELS - 1;
    wire sent_word_ends = sent_pixel_ends | (&sent_lane);
    assign answer_valid = state == SENDING && sent_wait == 0;
    assign answer = sent_byte;
    assign read_address = state == SENDING ? sent_address : walk_address;
    always @(posedge clock) begin
        // A word a cycle after its address, its copy after that, and then a byte of it.
        sent_byte <= word_2[8*sent_lane +: 8];
        if (state != SENDING) begin
            sent_address <= ANSWER_BASE;
            sent_left <= ANSWER_WORDS - 1;
            sent_lane <= 0;
            sent_channel <= 0;
            sent_wait <= 3;
        end else if (sent_wait != 0) begin
            sent_wait <= sent_wait - 1'b1;
        end else if (answer_ready) begin
            sent_lane <= sent_word_ends ? {LANE_BITS{1'b0}} : sent_lane + 1'b1;
            sent_channel <= sent_pixel_ends ? {COUNT_BITS{1'b0}} : sent_channel + 1'b1;
            sent_wait <= 1;
            if (sent_word_ends) begin
                sent_address <= sent_address + 1'b1;
                sent_left <= sent_left - 1'b1;
                sent_wait <= 3;
            end
        end
    end

    // ---- the sequence
    reg [WAIT_BITS-1:0] waited;
    always @(posedge clock) begin
        case (state)
            LOADING: begin
                layer <= 0;
                if (taken && given_word_ends && given_left == 0) state <= FETCHING;
            end
            FETCHING: begin
                description <= layer_description(layer);
                state <= STARTING;
            end
            STARTING: state <= RUNNING;
            RUNNING: if (walk_valid && walk_finishes) begin
                layer <= layer + 1'b1;
                waited <= f_wait;
                state <= layer == LAYERS - 1 ? FINISHING : WAITING;
            end
            WAITING: begin
                waited <= waited - 1'b1;
                if (waited == 0) state <= FETCHING;
            end
            FINISHING: if (pending == 0 && !write) state <= SENDING;
            SENDING: if (sent_wait == 0 && answer_ready && sent_word_ends && sent_left == 0)
                state <= LOADING;
            default: state <= LOADING;
        endcase
        if (reset) state <= LOADING;
    end
endmodule
