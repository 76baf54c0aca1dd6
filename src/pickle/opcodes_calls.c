/* What imports, calls and sets: the opcodes that can do harm. Here they only take notes. */
#include "base/utf8.h"
#include "pickle/state.h"

/*
 * Wrong kinds of operands, a number that is called say, are recorded like any other and do not end
 * the reading: the unpickler that is written in Python takes some that the one in C refuses.
 */

static sft_ref new_global(sft_machine *machine, sft_ref module, sft_ref name) {
    sft_ref ref = sft_machine_new(machine, SFT_VALUE_GLOBAL);
    if (ref == SFT_NO_REF) {
        return SFT_NO_REF;
    }
    machine->graph->values[ref].global = (sft_global){module, name};
    return sft_machine_effect(machine, SFT_EFFECT_GLOBAL, ref, SFT_NO_REF) ? ref : SFT_NO_REF;
}

static bool is_ascii(const sft_line_text *line) {
    for (uint64_t i = 0; i < line->length; i++) {
        if ((unsigned char)line->bytes[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* A module or a name, each on a line of its own that is not empty. */
static sft_ref name_line(sft_machine *machine, bool ascii) {
    sft_line_text line;
    if (!sft_machine_line(machine, SFT_SHORT_LINE, &line)) {
        return SFT_NO_REF;
    }
    bool is_text = ascii ? is_ascii(&line)
                         : sft_utf8_check((const unsigned char *)line.bytes, (size_t)line.length) ==
                               line.length;
    if (line.length == 0 || !is_text) {
        sft_machine_break(machine, line.length == 0 ? "a module or a name is empty"
                                                    : "a module or a name is no text");
        return SFT_NO_REF;
    }
    return sft_machine_text_of(machine, SFT_VALUE_STR, &line);
}

static sft_ref global_lines(sft_machine *machine, bool ascii) {
    sft_ref module = name_line(machine, ascii);
    sft_ref name = module != SFT_NO_REF ? name_line(machine, ascii) : SFT_NO_REF;
    return name != SFT_NO_REF ? new_global(machine, module, name) : SFT_NO_REF;
}

bool sft_op_global(sft_machine *machine) {
    return sft_machine_push(machine, global_lines(machine, false));
}

/* Whether a value may be a str when it is unpickled: what is computed may be anything. */
static bool may_be_str(sft_machine *machine, sft_ref ref) {
    switch (sft_graph_kind(machine->graph, ref)) {
    case SFT_VALUE_STR:
    case SFT_VALUE_OLD_STR:
    case SFT_VALUE_GLOBAL:
    case SFT_VALUE_OBJECT:
    case SFT_VALUE_PERSISTENT:
    case SFT_VALUE_EXTENSION:
    case SFT_VALUE_BUFFER:
        return true;
    default:
        return false;
    }
}

bool sft_op_stack_global(sft_machine *machine) {
    sft_ref name = sft_machine_pop(machine);
    sft_ref module = name != SFT_NO_REF ? sft_machine_pop(machine) : SFT_NO_REF;
    if (module == SFT_NO_REF) {
        return false;
    }
    if (!may_be_str(machine, module) || !may_be_str(machine, name)) {
        return sft_machine_break(machine, "a module or a name is no text");
    }
    return sft_machine_push(machine, new_global(machine, module, name));
}

/* Signed where it has four bytes; zero and what is below it stand for nothing. */
bool sft_op_extension(sft_machine *machine, uint64_t bytes) {
    const unsigned char *number = sft_machine_take(machine, bytes);
    if (number == NULL) {
        return false;
    }
    uint64_t code = sft_little_endian(number, bytes);
    if (code == 0 || code > INT32_MAX) {
        return sft_machine_break(machine, "an extension code is not above zero");
    }
    sft_ref ref = sft_machine_new(machine, SFT_VALUE_EXTENSION);
    if (ref == SFT_NO_REF) {
        return false;
    }
    machine->graph->values[ref].integer = (int64_t)code;
    return sft_machine_effect(machine, SFT_EFFECT_EXTENSION, ref, SFT_NO_REF) &&
           sft_machine_push(machine, ref);
}

static bool push_persistent(sft_machine *machine, sft_ref id) {
    if (id == SFT_NO_REF) {
        return false;
    }
    if (!sft_graph_room_for_items(machine->graph, 1)) {
        return sft_machine_no_memory(machine);
    }
    sft_ref ref = sft_machine_new(machine, SFT_VALUE_PERSISTENT);
    if (ref == SFT_NO_REF) {
        return false;
    }
    sft_value *value = &machine->graph->values[ref];
    sft_graph_add_item(machine->graph, &value->items, &value->count, id);
    return sft_machine_effect(machine, SFT_EFFECT_PERSISTENT, ref, SFT_NO_REF) &&
           sft_machine_push(machine, ref);
}

bool sft_op_persid(sft_machine *machine) {
    sft_line_text line;
    if (!sft_machine_line(machine, SFT_SHORT_LINE, &line)) {
        return false;
    }
    if (!is_ascii(&line)) {
        return sft_machine_break(machine, "a persistent id is not ASCII");
    }
    return push_persistent(machine, sft_machine_text_of(machine, SFT_VALUE_STR, &line));
}

bool sft_op_binpersid(sft_machine *machine) {
    return push_persistent(machine, sft_machine_pop(machine));
}

static bool push_object(sft_machine *machine, sft_call_kind call, sft_ref callee, sft_ref arguments,
                        sft_ref keywords) {
    if (arguments == SFT_NO_REF) {
        return false;
    }
    if (!sft_graph_room_for_object(machine->graph)) {
        return sft_machine_no_memory(machine);
    }
    sft_ref ref = sft_machine_new(machine, SFT_VALUE_OBJECT);
    if (ref == SFT_NO_REF) {
        return false;
    }
    const sft_object object = {
        .call = call, .callee = callee, .arguments = arguments, .keywords = keywords};
    sft_graph_set_object(machine->graph, ref, &object);
    return sft_machine_effect(machine, SFT_EFFECT_CALL, ref, SFT_NO_REF) &&
           sft_machine_push(machine, ref);
}

bool sft_op_reduce(sft_machine *machine) {
    sft_ref arguments = sft_machine_pop(machine);
    sft_ref callee = arguments != SFT_NO_REF ? sft_machine_pop(machine) : SFT_NO_REF;
    return callee != SFT_NO_REF &&
           push_object(machine, SFT_CALL_REDUCE, callee, arguments, SFT_NO_REF);
}

bool sft_op_newobj(sft_machine *machine, bool has_keywords) {
    sft_ref keywords = has_keywords ? sft_machine_pop(machine) : SFT_NO_REF;
    if (has_keywords && keywords == SFT_NO_REF) {
        return false;
    }
    sft_ref arguments = sft_machine_pop(machine);
    sft_ref callee = arguments != SFT_NO_REF ? sft_machine_pop(machine) : SFT_NO_REF;
    return callee != SFT_NO_REF &&
           push_object(machine, has_keywords ? SFT_CALL_NEWOBJ_EX : SFT_CALL_NEWOBJ, callee,
                       arguments, keywords);
}

/* The class is looked up before the arguments are gathered, and after the mark is taken away. */
bool sft_op_inst(sft_machine *machine) {
    uint64_t from = 0;
    if (!sft_machine_unmark(machine, &from)) {
        return false;
    }
    sft_ref callee = global_lines(machine, true);
    return callee != SFT_NO_REF &&
           push_object(machine, SFT_CALL_INSTANCE, callee,
                       sft_machine_gather(machine, SFT_VALUE_TUPLE, from), SFT_NO_REF);
}

bool sft_op_obj(sft_machine *machine) {
    uint64_t from = 0;
    if (!sft_machine_unmark(machine, &from)) {
        return false;
    }
    if (machine->stack_count == from) {
        return sft_machine_break(machine, "OBJ has no class");
    }
    sft_ref callee = machine->stack[from];
    sft_ref arguments = sft_machine_gather(machine, SFT_VALUE_TUPLE, from + 1);
    machine->stack_count = from;
    return push_object(machine, SFT_CALL_INSTANCE, callee, arguments, SFT_NO_REF);
}

/* Raw bytes behind BUILD, of which the caller knows: opcodes go on behind them. */
static bool pass_raw_bytes(sft_machine *machine, sft_ref subject) {
    const sft_pickle_options *options = &machine->options;
    sft_window *window = &machine->window;
    uint64_t position = sft_window_position(window);
    uint64_t offset;
    uint64_t size;
    uint64_t next;
    if (options->after_build == NULL ||
        !options->after_build(options->after_build_context, machine->graph, subject, position,
                              &offset, &size, &next)) {
        return true;
    }
    uint64_t end = window->input->size;
    if (next < position || next > end || offset < position || offset > next ||
        size > next - offset) {
        return sft_machine_break(machine, "raw bytes reach beyond the end of the input");
    }
    /* Who reads frame by frame would take them from behind the frame. */
    if (machine->frame_end > position && !sft_machine_straddle(machine)) {
        return false;
    }
    sft_object *object = sft_graph_object_of(machine->graph, subject);
    object->raw_offset = offset;
    object->raw_size = size;
    sft_window_skip(window, next);
    return true;
}

bool sft_op_build(sft_machine *machine) {
    if (machine->stack_count < machine->fence + 2) {
        return sft_machine_break(machine, "BUILD needs an object and a state");
    }
    sft_ref state = sft_machine_pop(machine);
    sft_ref subject = sft_machine_top(machine);
    if (!sft_machine_effect(machine, SFT_EFFECT_STATE, subject, state)) {
        return false;
    }
    if (sft_graph_kind(machine->graph, subject) != SFT_VALUE_OBJECT) {
        return true;
    }
    if (!sft_graph_room_for_items(machine->graph, 1)) {
        return sft_machine_no_memory(machine);
    }
    sft_object *object = sft_graph_object_of(machine->graph, subject);
    sft_graph_add_item(machine->graph, &object->states, &object->state_count, state);
    return pass_raw_bytes(machine, subject);
}
