/* Strings, bytes and buffers. */
#include "pickle/literals.h"
#include "pickle/state.h"

static char *room_for(sft_machine *machine, uint64_t size) {
    char *room = sft_arena_take(&machine->graph->arena, size);
    if (room == NULL) {
        sft_machine_no_memory(machine);
    }
    return room;
}

bool sft_op_string(sft_machine *machine) {
    sft_line_text line;
    if (!sft_machine_line(machine, UINT64_MAX, &line)) {
        return false;
    }
    bool quoted = line.length >= 2 && line.bytes[0] == line.bytes[line.length - 1] &&
                  (line.bytes[0] == '\'' || line.bytes[0] == '"');
    if (!quoted) {
        return sft_machine_break(machine, "a STRING is not quoted");
    }
    char *room = room_for(machine, line.length);
    if (room == NULL) {
        return false;
    }
    uint64_t length;
    if (!sft_unescape_bytes(line.bytes + 1, line.length - 2, room, &length)) {
        return sft_machine_break(machine, "a STRING has a broken escape");
    }
    return sft_machine_push(machine, sft_machine_text(machine, SFT_VALUE_OLD_STR, room, 0, length));
}

bool sft_op_unicode(sft_machine *machine) {
    sft_line_text line;
    if (!sft_machine_line(machine, UINT64_MAX, &line)) {
        return false;
    }
    char *room = room_for(machine, 2 * line.length);
    if (room == NULL) {
        return false;
    }
    uint64_t length;
    if (!sft_unescape_unicode(line.bytes, line.length, room, &length)) {
        return sft_machine_break(machine, "a UNICODE has a broken escape");
    }
    return sft_machine_push(machine, sft_machine_text(machine, SFT_VALUE_STR, room, 0, length));
}

bool sft_op_counted_text(sft_machine *machine, sft_value_kind kind, uint64_t bytes) {
    const unsigned char *count = sft_machine_take(machine, bytes);
    return count != NULL &&
           sft_machine_push(machine,
                            sft_machine_text_here(machine, kind, sft_little_endian(count, bytes)));
}

bool sft_op_next_buffer(sft_machine *machine) {
    sft_ref ref = sft_machine_new(machine, SFT_VALUE_BUFFER);
    if (ref == SFT_NO_REF) {
        return false;
    }
    machine->graph->values[ref].integer = machine->buffers++;
    return sft_machine_effect(machine, SFT_EFFECT_BUFFER, ref, SFT_NO_REF) &&
           sft_machine_push(machine, ref);
}

/* What is no plain value may have a method that gives its buffer. */
bool sft_op_readonly_buffer(sft_machine *machine) {
    sft_ref top = sft_machine_top(machine);
    if (top == SFT_NO_REF) {
        return false;
    }
    switch (sft_graph_kind(machine->graph, top)) {
    case SFT_VALUE_OLD_STR:
    case SFT_VALUE_BYTES:
    case SFT_VALUE_BYTEARRAY:
    case SFT_VALUE_BUFFER:
        return true;
    case SFT_VALUE_GLOBAL:
    case SFT_VALUE_OBJECT:
    case SFT_VALUE_PERSISTENT:
    case SFT_VALUE_EXTENSION:
        return sft_machine_effect(machine, SFT_EFFECT_BUFFER, top, SFT_NO_REF);
    default:
        return sft_machine_break(machine, "READONLY_BUFFER stands on what has no buffer");
    }
}
