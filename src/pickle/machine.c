/* From the first opcode to the last. */
#include "pickle/machine.h"

#include <string.h>

#include "base/error.h"
#include "pickle/opcode.h"
#include "pickle/state.h"

#define DEFAULT_MEMORY (UINT64_C(192) * 1024 * 1024)
#define DEFAULT_TEXT_IN_MEMORY 4096
#define HIGHEST_PROTOCOL 5

const char *sft_opcode_name(uint8_t opcode) {
#define NAME(name, byte) [(byte)] = #name,
    static const char *const names[256] = {SFT_OPCODES(NAME)};
#undef NAME
    return names[opcode];
}

bool sft_machine_break(sft_machine *machine, const char *what) {
    machine->pickle->end = SFT_PICKLE_BROKEN;
    machine->pickle->what = what;
    return false;
}

bool sft_machine_limit(sft_machine *machine, const char *what) {
    machine->pickle->end = SFT_PICKLE_LIMIT;
    machine->pickle->what = what;
    return false;
}

bool sft_machine_no_memory(sft_machine *machine) {
    if (machine->budget.exceeded || machine->graph->full) {
        return sft_machine_limit(machine, "it needs more memory than the limit allows");
    }
    machine->pickle->end = SFT_PICKLE_FAILED;
    machine->status = sft_fail_memory(machine->error);
    return false;
}

/* It may come anywhere, and more than once. */
bool sft_op_proto(sft_machine *machine) {
    const unsigned char *number = sft_machine_take(machine, 1);
    if (number == NULL) {
        return false;
    }
    if (number[0] > HIGHEST_PROTOCOL) {
        return sft_machine_break(machine, "it names a protocol above 5");
    }
    sft_pickle *pickle = machine->pickle;
    pickle->begins_with_proto |= machine->at == pickle->start;
    if (number[0] > pickle->protocol) {
        pickle->protocol = number[0];
    }
    return true;
}

/*
 * A frame bounds nothing: CPython only makes sure that the input has so many bytes. But where it
 * reads from a file that cannot peek, it drops what is left of a frame when an opcode reaches
 * beyond, so that the same bytes are two different pickles. Such frames are recorded.
 */
bool sft_op_frame(sft_machine *machine) {
    const unsigned char *bytes = sft_machine_take(machine, 8);
    if (bytes == NULL) {
        return false;
    }
    uint64_t length = sft_little_endian(bytes, 8);
    if (machine->at < machine->frame_end && !sft_machine_straddle(machine)) {
        return false;
    }
    if (length > sft_window_left(&machine->window)) {
        return sft_machine_break(machine, "a frame reaches beyond the end of the input");
    }
    machine->frame_end = sft_window_position(&machine->window) + length;
    return true;
}

bool sft_op_stop(sft_machine *machine) {
    sft_ref result = sft_machine_pop(machine);
    if (result == SFT_NO_REF) {
        return false;
    }
    /* A file is read up to the end of the frame: what follows this pickle is not what stands here.
     */
    if (machine->frame_end > sft_window_position(&machine->window) &&
        !sft_machine_straddle(machine)) {
        return false;
    }
    if ((machine->stack_count > 0 || machine->mark_count > 0) &&
        !sft_machine_effect(machine, SFT_EFFECT_LEFTOVER, SFT_NO_REF, SFT_NO_REF)) {
        return false;
    }
    machine->pickle->result = result;
    machine->stopped = true;
    return true;
}

static bool execute(sft_machine *machine) {
    switch (machine->opcode) {
    case SFT_OP_NONE:
        return sft_op_none(machine);
    case SFT_OP_NEWTRUE:
        return sft_op_bool(machine, true);
    case SFT_OP_NEWFALSE:
        return sft_op_bool(machine, false);
    case SFT_OP_BININT:
        return sft_op_binint(machine, 4);
    case SFT_OP_BININT1:
        return sft_op_binint(machine, 1);
    case SFT_OP_BININT2:
        return sft_op_binint(machine, 2);
    case SFT_OP_INT:
        return sft_op_int(machine);
    case SFT_OP_LONG:
        return sft_op_long(machine);
    case SFT_OP_LONG1:
        return sft_op_counted_long(machine, 1);
    case SFT_OP_LONG4:
        return sft_op_counted_long(machine, 4);
    case SFT_OP_FLOAT:
        return sft_op_float(machine);
    case SFT_OP_BINFLOAT:
        return sft_op_binfloat(machine);

    case SFT_OP_STRING:
        return sft_op_string(machine);
    case SFT_OP_SHORT_BINSTRING:
        return sft_op_counted_text(machine, SFT_VALUE_OLD_STR, 1);
    case SFT_OP_BINSTRING:
        return sft_op_counted_text(machine, SFT_VALUE_OLD_STR, 4);
    case SFT_OP_UNICODE:
        return sft_op_unicode(machine);
    case SFT_OP_SHORT_BINUNICODE:
        return sft_op_counted_text(machine, SFT_VALUE_STR, 1);
    case SFT_OP_BINUNICODE:
        return sft_op_counted_text(machine, SFT_VALUE_STR, 4);
    case SFT_OP_BINUNICODE8:
        return sft_op_counted_text(machine, SFT_VALUE_STR, 8);
    case SFT_OP_SHORT_BINBYTES:
        return sft_op_counted_text(machine, SFT_VALUE_BYTES, 1);
    case SFT_OP_BINBYTES:
        return sft_op_counted_text(machine, SFT_VALUE_BYTES, 4);
    case SFT_OP_BINBYTES8:
        return sft_op_counted_text(machine, SFT_VALUE_BYTES, 8);
    case SFT_OP_BYTEARRAY8:
        return sft_op_counted_text(machine, SFT_VALUE_BYTEARRAY, 8);
    case SFT_OP_NEXT_BUFFER:
        return sft_op_next_buffer(machine);
    case SFT_OP_READONLY_BUFFER:
        return sft_op_readonly_buffer(machine);

    case SFT_OP_EMPTY_LIST:
        return sft_op_empty(machine, SFT_VALUE_LIST);
    case SFT_OP_EMPTY_DICT:
        return sft_op_empty(machine, SFT_VALUE_DICT);
    case SFT_OP_EMPTY_SET:
        return sft_op_empty(machine, SFT_VALUE_SET);
    case SFT_OP_EMPTY_TUPLE:
        return sft_op_empty(machine, SFT_VALUE_TUPLE);
    case SFT_OP_TUPLE1:
        return sft_op_tuple(machine, 1);
    case SFT_OP_TUPLE2:
        return sft_op_tuple(machine, 2);
    case SFT_OP_TUPLE3:
        return sft_op_tuple(machine, 3);
    case SFT_OP_TUPLE:
        return sft_op_marked(machine, SFT_VALUE_TUPLE);
    case SFT_OP_LIST:
        return sft_op_marked(machine, SFT_VALUE_LIST);
    case SFT_OP_DICT:
        return sft_op_marked(machine, SFT_VALUE_DICT);
    case SFT_OP_FROZENSET:
        return sft_op_marked(machine, SFT_VALUE_FROZENSET);
    case SFT_OP_APPEND:
        return sft_op_append(machine);
    case SFT_OP_APPENDS:
        return sft_op_appends(machine, SFT_VALUE_LIST);
    case SFT_OP_ADDITEMS:
        return sft_op_appends(machine, SFT_VALUE_SET);
    case SFT_OP_SETITEM:
        return sft_op_setitem(machine);
    case SFT_OP_SETITEMS:
        return sft_op_setitems(machine);

    case SFT_OP_GLOBAL:
        return sft_op_global(machine);
    case SFT_OP_STACK_GLOBAL:
        return sft_op_stack_global(machine);
    case SFT_OP_EXT1:
        return sft_op_extension(machine, 1);
    case SFT_OP_EXT2:
        return sft_op_extension(machine, 2);
    case SFT_OP_EXT4:
        return sft_op_extension(machine, 4);
    case SFT_OP_PERSID:
        return sft_op_persid(machine);
    case SFT_OP_BINPERSID:
        return sft_op_binpersid(machine);
    case SFT_OP_REDUCE:
        return sft_op_reduce(machine);
    case SFT_OP_NEWOBJ:
        return sft_op_newobj(machine, false);
    case SFT_OP_NEWOBJ_EX:
        return sft_op_newobj(machine, true);
    case SFT_OP_INST:
        return sft_op_inst(machine);
    case SFT_OP_OBJ:
        return sft_op_obj(machine);
    case SFT_OP_BUILD:
        return sft_op_build(machine);

    case SFT_OP_MARK:
        return sft_op_mark(machine);
    case SFT_OP_POP:
        return sft_op_pop(machine);
    case SFT_OP_POP_MARK:
        return sft_op_pop_mark(machine);
    case SFT_OP_DUP:
        return sft_op_dup(machine);
    case SFT_OP_GET:
        return sft_op_get(machine);
    case SFT_OP_BINGET:
        return sft_op_binget(machine, 1);
    case SFT_OP_LONG_BINGET:
        return sft_op_binget(machine, 4);
    case SFT_OP_PUT:
        return sft_op_put(machine);
    case SFT_OP_BINPUT:
        return sft_op_binput(machine, 1);
    case SFT_OP_LONG_BINPUT:
        return sft_op_binput(machine, 4);
    case SFT_OP_MEMOIZE:
        return sft_op_memoize(machine);

    case SFT_OP_PROTO:
        return sft_op_proto(machine);
    case SFT_OP_FRAME:
        return sft_op_frame(machine);
    case SFT_OP_STOP:
        return sft_op_stop(machine);
    default:
        return sft_machine_break(machine, "a byte stands there that is no opcode");
    }
}

static void run(sft_machine *machine) {
    while (!machine->stopped) {
        machine->opcode = 0;
        machine->straddled = false;
        machine->at = sft_window_position(&machine->window);
        const unsigned char *next = sft_machine_take(machine, 1);
        if (next == NULL) {
            return;
        }
        machine->opcode = next[0];
        if (!execute(machine)) {
            return;
        }
    }
    machine->pickle->end = SFT_PICKLE_STOPPED;
}

static void release(sft_machine *machine, const sft_allocator *allocator) {
    sft_window_close(&machine->window, allocator);
    sft_memo_free(&machine->memo, allocator);
    sft_release(allocator, machine->stack, machine->stack_capacity * sizeof *machine->stack);
    sft_release(allocator, machine->marks, machine->mark_capacity * sizeof *machine->marks);
    sft_release(allocator, machine->line, machine->line_capacity);
}

sft_status sft_pickle_read(sft_pickle *pickle, const sft_pickle_input *input, uint64_t start,
                           const sft_pickle_options *options, sft_error *error) {
    sft_machine machine = {.pickle = pickle, .graph = &pickle->graph, .error = error};
    if (options != NULL) {
        machine.options = *options;
    }
    if (machine.options.text_in_memory == 0) {
        machine.options.text_in_memory = DEFAULT_TEXT_IN_MEMORY;
    }
    const sft_allocator allocator = sft_allocator_of(machine.options.allocator);
    machine.budget.from = allocator;
    machine.budget.limit = machine.options.memory != 0 ? machine.options.memory : DEFAULT_MEMORY;
    machine.allocator = sft_budget_allocator(&machine.budget);

    memset(pickle, 0, sizeof *pickle);
    sft_graph_init(&pickle->graph, &machine.allocator);
    pickle->start = start;
    /* The window is as large for every pickle, so that the limit does not count it. */
    if (sft_window_open(&machine.window, &allocator, input, start)) {
        run(&machine);
    } else {
        sft_machine_no_memory(&machine);
    }
    bool stopped = pickle->end == SFT_PICKLE_STOPPED;
    pickle->position = stopped ? sft_window_position(&machine.window) : machine.at;
    pickle->opcode = machine.opcode;
    release(&machine, &allocator);
    /* The budget ends here, the graph lives on. */
    pickle->graph.allocator = allocator;
    pickle->graph.arena.allocator = allocator;
    return machine.status;
}

void sft_pickle_free(sft_pickle *pickle) {
    sft_graph_free(&pickle->graph);
}
