"""Steps: one thin function per stage; load what earlier stages wrote, call the room, write."""
