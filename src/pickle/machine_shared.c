/* What the opcodes share: input, values, effects. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/utf8.h"
#include "pickle/state.h"

bool sft_machine_straddle(sft_machine *machine) {
    bool recorded = machine->straddled;
    machine->straddled = true;
    return recorded || sft_machine_effect(machine, SFT_EFFECT_STRADDLED, SFT_NO_REF, SFT_NO_REF);
}

/* Looks whether the next `size` bytes lie in the frame in which their opcode stands. */
static bool cross_frame(sft_machine *machine, uint64_t size) {
    uint64_t end = machine->frame_end;
    if (machine->at >= end) {
        return true;
    }
    uint64_t position = sft_window_position(&machine->window);
    bool inside = position <= end && size <= end - position;
    return inside || size == 0 || sft_machine_straddle(machine);
}

static bool filled(sft_machine *machine, sft_status status) {
    if (status != SFT_OK) {
        machine->pickle->end = SFT_PICKLE_FAILED;
        machine->status = status;
    }
    return status == SFT_OK;
}

bool sft_machine_reach(sft_machine *machine, uint64_t length) {
    if (!cross_frame(machine, length)) {
        return false;
    }
    return length <= sft_window_left(&machine->window) ||
           sft_machine_break(machine, machine->opcode == 0 ? "the input ends before STOP"
                                                           : "the input ends within an opcode");
}

const unsigned char *sft_machine_take(sft_machine *machine, uint64_t size) {
    sft_window *window = &machine->window;
    if (!sft_machine_reach(machine, size)) {
        return NULL;
    }
    if (window->used - window->next < size &&
        !filled(machine, sft_window_fill(window, size, machine->error))) {
        return NULL;
    }
    const unsigned char *bytes = window->bytes + window->next;
    window->next += size;
    return bytes;
}

/* Moves all that the window has to the end of the line that is gathered. */
static bool gather_line(sft_machine *machine, uint64_t *length) {
    sft_window *window = &machine->window;
    uint64_t more = window->used - window->next;
    uint64_t wanted = *length + more + 1;
    if (wanted > machine->line_capacity) {
        void *line = machine->line;
        bool fits = sft_reserve(&machine->allocator, &line, &machine->line_capacity,
                                wanted + wanted / 2, 1);
        machine->line = line;
        if (!fits) {
            return sft_machine_no_memory(machine);
        }
    }
    memcpy(machine->line + *length, window->bytes + window->next, (size_t)more);
    *length += more;
    window->next = window->used;
    return true;
}

static bool end_line(sft_machine *machine, uint64_t most, sft_line_text *line) {
    sft_window *window = &machine->window;
    uint64_t length = 0;
    for (;;) {
        if (!gather_line(machine, &length)) {
            return false;
        }
        if (sft_window_left(window) == 0) {
            return sft_machine_break(machine, "the input ends within a line");
        }
        if (length > most) {
            return sft_machine_limit(machine, "a number or a name is longer than the limit allows");
        }
        if (!filled(machine, sft_window_fill(window, 1, machine->error))) {
            return false;
        }
        const char *rest = (const char *)window->bytes + window->next;
        const char *end = memchr(rest, '\n', (size_t)(window->used - window->next));
        if (end != NULL) {
            uint64_t used = window->used;
            window->used = window->next + (uint64_t)(end - rest) + 1;
            bool gathered = gather_line(machine, &length);
            window->used = used;
            line->bytes = machine->line;
            line->length = length - 1;
            return gathered;
        }
    }
}

bool sft_machine_line(sft_machine *machine, uint64_t most, sft_line_text *line) {
    sft_window *window = &machine->window;
    line->offset = sft_window_position(window);
    const char *rest = (const char *)window->bytes + window->next;
    const char *end = memchr(rest, '\n', (size_t)(window->used - window->next));
    bool ended = true;
    if (end != NULL) {
        line->bytes = rest;
        line->length = (uint64_t)(end - rest);
        window->next += line->length + 1;
    } else {
        ended = end_line(machine, most, line);
    }
    /* Also of a line that does not end: a file would be read on from another place. */
    if (machine->at < machine->frame_end && machine->frame_end < sft_window_position(window) &&
        !sft_machine_straddle(machine)) {
        return false;
    }
    return ended;
}

sft_ref sft_machine_new(sft_machine *machine, sft_value_kind kind) {
    sft_ref ref = sft_graph_add(machine->graph, kind, machine->opcode, machine->at);
    if (ref == SFT_NO_REF) {
        sft_machine_no_memory(machine);
    }
    return ref;
}

sft_ref sft_machine_text(sft_machine *machine, sft_value_kind kind, const char *bytes,
                         uint64_t offset, uint64_t length) {
    if (!sft_graph_room_for_text(machine->graph)) {
        sft_machine_no_memory(machine);
        return SFT_NO_REF;
    }
    sft_ref ref = sft_machine_new(machine, kind);
    if (ref != SFT_NO_REF) {
        sft_graph_set_text(machine->graph, ref, bytes, offset, length);
    }
    return ref;
}

static char *room_for(sft_machine *machine, uint64_t length) {
    char *bytes = sft_arena_take(&machine->graph->arena, length);
    if (bytes == NULL) {
        sft_machine_no_memory(machine);
    }
    return bytes;
}

/* UTF-8 as Python reads it under surrogatepass. */
static bool is_python_text(const char *text, uint64_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t size = (size_t)length;
    size_t at = sft_utf8_check(bytes, size);
    while (at < size) {
        bool surrogate = size - at >= 3 && bytes[at] == 0xed && (bytes[at + 1] & 0xe0) == 0xa0 &&
                         (bytes[at + 2] & 0xc0) == 0x80;
        if (!surrogate) {
            return false;
        }
        at += 3;
        at += sft_utf8_check(bytes + at, size - at);
    }
    return true;
}

sft_ref sft_machine_text_here(sft_machine *machine, sft_value_kind kind, uint64_t length) {
    sft_window *window = &machine->window;
    if (!sft_machine_reach(machine, length)) {
        return SFT_NO_REF;
    }
    uint64_t offset = sft_window_position(window);
    if (length > machine->options.text_in_memory) {
        sft_window_skip(window, offset + length);
        return sft_machine_text(machine, kind, NULL, offset, length);
    }
    char *bytes = room_for(machine, length);
    if (bytes == NULL || !filled(machine, sft_window_copy(window, bytes, length, machine->error))) {
        return SFT_NO_REF;
    }
    if (kind == SFT_VALUE_STR && !is_python_text(bytes, length)) {
        sft_machine_break(machine, "a text is not UTF-8");
        return SFT_NO_REF;
    }
    return sft_machine_text(machine, kind, bytes, 0, length);
}

sft_ref sft_machine_text_of(sft_machine *machine, sft_value_kind kind, const sft_line_text *line) {
    if (line->length > machine->options.text_in_memory) {
        return sft_machine_text(machine, kind, NULL, line->offset, line->length);
    }
    return sft_machine_text_copy(machine, kind, line->bytes, line->length);
}

sft_ref sft_machine_text_copy(sft_machine *machine, sft_value_kind kind, const char *bytes,
                              uint64_t length) {
    char *copy = room_for(machine, length);
    if (copy == NULL) {
        return SFT_NO_REF;
    }
    memcpy(copy, bytes, (size_t)length);
    return sft_machine_text(machine, kind, copy, 0, length);
}

bool sft_machine_effect(sft_machine *machine, sft_effect_kind kind, sft_ref subject,
                        sft_ref argument) {
    const sft_effect effect = {(uint8_t)kind, machine->opcode, subject, argument, machine->at};
    return sft_graph_add_effect(machine->graph, &effect) || sft_machine_no_memory(machine);
}
