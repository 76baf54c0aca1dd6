/* The stack, its marks, and the memo. */
#include "pickle/literals.h"
#include "pickle/state.h"

bool sft_machine_push(sft_machine *machine, sft_ref value) {
    if (value == SFT_NO_REF) {
        return false;
    }
    if (machine->stack_count == machine->stack_capacity) {
        void *stack = machine->stack;
        bool fits = sft_grow(&machine->allocator, &stack, &machine->stack_capacity,
                             machine->stack_count, sizeof *machine->stack);
        machine->stack = stack;
        if (!fits) {
            return sft_machine_no_memory(machine);
        }
    }
    machine->stack[machine->stack_count++] = value;
    return true;
}

sft_ref sft_machine_top(sft_machine *machine) {
    if (machine->stack_count <= machine->fence) {
        sft_machine_break(machine, machine->mark_count > 0
                                       ? "a mark stands where a value is needed"
                                       : "the stack is empty where a value is needed");
        return SFT_NO_REF;
    }
    return machine->stack[machine->stack_count - 1];
}

sft_ref sft_machine_pop(sft_machine *machine) {
    sft_ref top = sft_machine_top(machine);
    machine->stack_count -= top != SFT_NO_REF;
    return top;
}

static void drop_mark(sft_machine *machine) {
    machine->mark_count--;
    machine->fence = machine->mark_count > 0 ? machine->marks[machine->mark_count - 1] : 0;
}

bool sft_machine_unmark(sft_machine *machine, uint64_t *from) {
    if (machine->mark_count == 0) {
        return sft_machine_break(machine, "a mark is needed, and none was set");
    }
    *from = machine->fence;
    drop_mark(machine);
    return true;
}

bool sft_op_mark(sft_machine *machine) {
    void *marks = machine->marks;
    bool fits = sft_grow(&machine->allocator, &marks, &machine->mark_capacity, machine->mark_count,
                         sizeof *machine->marks);
    machine->marks = marks;
    if (!fits) {
        return sft_machine_no_memory(machine);
    }
    machine->fence = machine->stack_count;
    machine->marks[machine->mark_count++] = machine->fence;
    return true;
}

/* Takes away a mark where one is on top, as pickle.py does, which has both on one stack. */
bool sft_op_pop(sft_machine *machine) {
    if (machine->mark_count > 0 && machine->fence == machine->stack_count) {
        drop_mark(machine);
        return true;
    }
    return sft_machine_pop(machine) != SFT_NO_REF;
}

bool sft_op_pop_mark(sft_machine *machine) {
    uint64_t from = 0;
    if (!sft_machine_unmark(machine, &from)) {
        return false;
    }
    machine->stack_count = from;
    return true;
}

bool sft_op_dup(sft_machine *machine) {
    return sft_machine_push(machine, sft_machine_top(machine));
}

static bool get(sft_machine *machine, uint64_t index) {
    sft_ref value = sft_memo_get(&machine->memo, index);
    return value != SFT_NO_REF ? sft_machine_push(machine, value)
                               : sft_machine_break(machine, "the memo has no such value");
}

/* Numbers up to this cost a loader next to nothing. */
#define CHEAP_INDEX 65536

static bool put(sft_machine *machine, uint64_t index) {
    sft_ref top = sft_machine_top(machine);
    if (top == SFT_NO_REF) {
        return false;
    }
    if (index > CHEAP_INDEX && index > machine->window.input->size && !machine->memo_told) {
        machine->memo_told = true;
        if (!sft_machine_effect(machine, SFT_EFFECT_MEMO, SFT_NO_REF, SFT_NO_REF)) {
            return false;
        }
    }
    return sft_memo_put(&machine->memo, &machine->allocator, index, top) ||
           sft_machine_no_memory(machine);
}

static bool index_line(sft_machine *machine, uint64_t *index) {
    sft_line_text line;
    sft_number number;
    int64_t value;
    if (!sft_machine_line(machine, SFT_SHORT_LINE, &line)) {
        return false;
    }
    if (!sft_read_int(line.bytes, line.length, 10, &number) || !sft_number_int(&number, &value) ||
        value < 0) {
        return sft_machine_break(machine, "the index is no number that a memo can have");
    }
    *index = (uint64_t)value;
    return true;
}

bool sft_op_get(sft_machine *machine) {
    uint64_t index = 0;
    return index_line(machine, &index) && get(machine, index);
}

bool sft_op_put(sft_machine *machine) {
    uint64_t index = 0;
    return index_line(machine, &index) && put(machine, index);
}

bool sft_op_binget(sft_machine *machine, uint64_t bytes) {
    const unsigned char *index = sft_machine_take(machine, bytes);
    return index != NULL && get(machine, sft_little_endian(index, bytes));
}

bool sft_op_binput(sft_machine *machine, uint64_t bytes) {
    const unsigned char *index = sft_machine_take(machine, bytes);
    return index != NULL && put(machine, sft_little_endian(index, bytes));
}

/* The index is the number of entries, even if one of that index is there. */
bool sft_op_memoize(sft_machine *machine) {
    return put(machine, machine->memo.entries);
}
