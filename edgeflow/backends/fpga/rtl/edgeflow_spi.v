// The accelerator behind SPI, as a device in mode 0, most significant bit first; SCK has a period of 16 cycles or more.
//
// A frame (cs_n low) begins with a command; the byte after it is for the status (bit 0: an answer waits,
// bit 1: an input is taken), those that follow are data:
//
//     0  nothing: the status only
//     1  an input from its first byte on; what came of one before is dropped
//     2  the answer, or where that was left off; zeros where none waits
//     3  more of the input

module edgeflow_spi (
    input wire clock,
    input wire reset,
    input wire sck,
    input wire cs_n,
    input wire mosi,
    output wire miso,
    output wire busy
);
    localparam COMMAND = 2'd0, STATUS = 2'd1, DATA = 2'd2;

    // ---- the lines, in step with the clock
    reg [2:0] sck_line, cs_line;
    reg [1:0] mosi_line;
    wire selected = !cs_line[2];
    wire rises = selected && sck_line[2:1] == 2'b01;
    wire falls = selected && sck_line[2:1] == 2'b10;
    always @(posedge clock) begin
        sck_line <= {sck_line[1:0], sck};
        cs_line <= {cs_line[1:0], cs_n};
        mosi_line <= {mosi_line[0], mosi};
        if (reset) {sck_line, cs_line} <= {3'b000, 3'b111};
    end

    // ---- bytes in
    reg [2:0] bits;
    reg [6:0] in_shift;
    wire [7:0] in_byte = {in_shift, mosi_line[1]};
    wire byte_ends = rises && bits == 3'd7;
    always @(posedge clock) begin
        if (rises) begin
            bits <= bits + 1'b1;
            in_shift <= in_byte[6:0];
        end
        if (!selected) bits <= 0;
    end

    // ---- the frame
    reg [1:0] phase, command;
    reg granted, given_valid, begun, dropped;
    reg [7:0] given, status;
    wire takes, answers;
    wire wants_input = in_byte[1:0] == 2'd1 || in_byte[1:0] == 2'd3;
    always @(posedge clock) begin
        given_valid <= 1'b0;
        dropped <= 1'b0;
        if (byte_ends) begin
            case (phase)
                COMMAND: begin
                    command <= in_byte[1:0];
                    granted <= wants_input ? takes : in_byte[1:0] == 2'd2 && answers;
                    status <= {6'd0, takes, answers};
                    dropped <= in_byte[1:0] == 2'd1 && begun && takes;
                    phase <= STATUS;
                end
                STATUS: phase <= DATA;
                default: if (granted && command[0] && takes) begin
                    given <= in_byte;
                    given_valid <= 1'b1;
                    begun <= 1'b1;
                end
            endcase
        end
        if (!selected) phase <= COMMAND;
        if (busy || dropped || reset) begun <= 1'b0;
    end

    // ---- the accelerator
    wire core_takes, out_valid, out_ready;
    wire [7:0] out_byte;
    edgeflow_core core (
        .clock(clock), .reset(reset | dropped),
        .given_valid(given_valid), .given_ready(core_takes), .given(given),
        .answer_valid(out_valid), .answer_ready(out_ready), .answer(out_byte),
        .busy(busy)
    );

    // ---- a byte of the answer is held until it has left
    reg held;
    reg [7:0] held_byte;
    wire sent = byte_ends && phase == DATA && granted && command == 2'd2;
    assign out_ready = !held;
    assign answers = held;
    assign takes = core_takes && !held;
    always @(posedge clock) begin
        if (out_valid && out_ready) begin
            held <= 1'b1;
            held_byte <= out_byte;
        end else if (sent) held <= 1'b0;
        if (reset) held <= 1'b0;
    end

    // ---- bits out: a byte's first one follows the last falling edge of the byte before
    reg [7:0] out_shift;
    wire [7:0] data = granted && command == 2'd2 && held ? held_byte : 8'd0;
    assign miso = out_shift[7];
    always @(posedge clock) begin
        if (falls) out_shift <= bits != 0 ? {out_shift[6:0], 1'b0} : phase == STATUS ? status : data;
        if (!selected) out_shift <= 0;
    end
endmodule
