// A network in space behind streams of bytes: an input is gathered, computed at once, and sent.
//
// The network takes an input in every cycle; here the streams of bytes set the pace. While an answer
// is computed and sent the next input comes in.

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

    // ---- the input, byte after byte
    reg [8*GIVEN_BYTES-1:0] row;
    reg [15:0] missing;
    wire complete = missing == 0;
    wire taken = given_valid & given_ready;
    wire begins;
    assign given_ready = !complete;
    always @(posedge clock) begin
        if (taken) begin
            row <= {given, row[8*GIVEN_BYTES-1:8]};
            missing <= missing - 1'b1;
        end
        if (begins || reset) missing <= GIVEN_BYTES;
    end

    // ---- the network; `computing` follows an input through it
    wire [8*ANSWER_BYTES-1:0] found;
    edgeflow_spatial network (.clock(clock), .given(row), .answer(found));
    reg [CYCLES-1:0] computing;
    reg [15:0] unsent;
    wire ready = computing[CYCLES-1];
    assign begins = complete && !busy;
    assign busy = |computing || unsent != 0;
    always @(posedge clock) computing <= reset ? {CYCLES{1'b0}} : (computing << 1) | begins;

    // ---- the answer, byte after byte
    reg [8*ANSWER_BYTES-1:0] left;
    assign answer_valid = unsent != 0;
    assign answer = left[7:0];
    always @(posedge clock) begin
        if (ready) begin
            left <= found;
            unsent <= ANSWER_BYTES;
        end else if (answer_valid && answer_ready) begin
            left <= left >> 8;
            unsent <= unsent - 1'b1;
        end
        if (reset) unsent <= 0;
    end
endmodule
