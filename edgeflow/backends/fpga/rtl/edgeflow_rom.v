// Memory that synthesis maps to block RAM: one read a cycle, its result a cycle later.

module edgeflow_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter ADDRESS_BITS = 4,
    parameter CONTENT = ""
) (
    input wire clock,
    input wire [ADDRESS_BITS-1:0] address,
    output reg [WIDTH-1:0] value
);
    (* rom_style = "block" *) reg [WIDTH-1:0] words[0:DEPTH-1];
    initial $readmemh(CONTENT, words);
    always @(posedge clock) value <= words[address];
endmodule
