// The accelerator behind a serial line: 8 bits, no parity, one stop bit, DIVISOR cycles a bit.
//
// Bytes of an input come in, those of the answer go out. An input that stays incomplete for TIMEOUT
// cycles is dropped, so that a lost byte does not shift all that follow.

module edgeflow_serial #(
    parameter DIVISOR = 100,
    parameter TIMEOUT = 4194304
) (
    input wire clock,
    input wire reset,
    input wire rx,
    output wire tx,
    output wire busy
);
    // ---- bits in, sampled in their middle
    reg [2:0] line;
    reg [15:0] in_time;
    reg [3:0] in_bits;
    reg [7:0] in_byte;
    reg in_valid;
    wire in_ready;
    always @(posedge clock) begin
        line <= {line[1:0], rx};
        if (in_ready) in_valid <= 1'b0;
        if (in_bits == 0) begin
            if (!line[2]) begin
                in_bits <= 4'd10;
                in_time <= DIVISOR / 2;
            end
        end else if (in_time != 0) in_time <= in_time - 1'b1;
        else begin
            in_time <= DIVISOR - 1;
            in_bits <= in_bits - 1'b1;
            // The start bit must still be low, and the stop bit high.
            if (in_bits == 10) begin
                if (line[2]) in_bits <= 0;
            end else if (in_bits == 1) in_valid <= line[2];
            else in_byte <= {line[2], in_byte[7:1]};
        end
        if (reset) {in_bits, in_valid, line} <= {4'd0, 1'b0, 3'b111};
    end

    // ---- an input that stays incomplete
    reg [23:0] idle;
    reg dropped;
    reg begun;
    always @(posedge clock) begin
        dropped <= begun && !busy && idle == TIMEOUT - 1;
        idle <= in_valid || busy || dropped ? 24'd0 : idle + begun;
        if (in_valid) begun <= 1'b1;
        if (busy || dropped || reset) begun <= 1'b0;
    end

    // ---- the accelerator
    wire out_valid, out_ready;
    wire [7:0] out_byte;
    edgeflow_core core (
        .clock(clock), .reset(reset | dropped),
        .given_valid(in_valid), .given_ready(in_ready), .given(in_byte),
        .answer_valid(out_valid), .answer_ready(out_ready), .answer(out_byte),
        .busy(busy)
    );

    // ---- bits out
    reg [9:0] out_shift;
    reg [3:0] out_bits;
    reg [15:0] out_time;
    assign out_ready = out_bits == 0;
    assign tx = out_shift[0];
    always @(posedge clock) begin
        if (out_bits == 0) begin
            if (out_valid) begin
                out_shift <= {1'b1, out_byte, 1'b0};
                out_bits <= 4'd10;
                out_time <= DIVISOR - 1;
            end
        end else if (out_time != 0) out_time <= out_time - 1'b1;
        else begin
            out_shift <= {1'b1, out_shift[9:1]};
            out_bits <= out_bits - 1'b1;
            out_time <= DIVISOR - 1;
        end
        if (reset) {out_bits, out_shift} <= {4'd0, 10'h3ff};
    end
endmodule
