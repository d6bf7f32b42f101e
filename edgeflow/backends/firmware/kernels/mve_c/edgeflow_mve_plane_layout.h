/* Assembler: offsets of edgeflow_mve_plane. */
    .equ    COLUMNS, 0
    .equ    TAIL_LANES, 4
    .equ    COLUMN_STEP, 8
    .equ    ZERO_POINT, 12          /* four_columns behind it */
    .equ    ROW_STEP, 20
    .equ    CHANNELS, 24
    .equ    TAPS, 28                /* plane_step behind it */
    .equ    ROW_SHIFT, 36           /* spread behind it */
    .equ    WEIGHTS, 44             /* values, constants, output behind it */
    .equ    OFFSETS, 60
    .equ    MINIMUM, 76
    .equ    MAXIMUM, 92
    .equ    SCATTER, 108
