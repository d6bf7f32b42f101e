// Memory that synthesis maps to block RAM: one read a cycle, its result a cycle later.
// No word is read in the cycle in which it is written: the schedule sees to that.

module edgeflow_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter ADDRESS_BITS = 4
) (
    input wire clock,
    input wire [ADDRESS_BITS-1:0] address,
    output reg [WIDTH-1:0] value,
    input wire write,
    input wire [ADDRESS_BITS-1:0] write_address,
    input wire [WIDTH-1:0] write_value
);
    (* no_rw_check *) reg [WIDTH-1:0] words[0:DEPTH-1];
    always @(posedge clock) begin
        value <= words[address];
        if (write) words[write_address] <= write_value;
    end
endmodule
