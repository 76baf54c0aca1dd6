/* Lists, tuples, dicts and sets. */
#include "pickle/state.h"

static sft_value *value_of(sft_machine *machine, sft_ref ref) {
    return &machine->graph->values[ref];
}

static bool room_from(sft_machine *machine, uint64_t from) {
    return sft_graph_room_for_items(machine->graph, machine->stack_count - from) ||
           sft_machine_no_memory(machine);
}

/* Puts the values from `from` on into a row that has room; they leave the stack. */
static void add_from(sft_machine *machine, sft_items *items, uint32_t *count, uint64_t from) {
    for (uint64_t i = from; i < machine->stack_count; i++) {
        sft_graph_add_item(machine->graph, items, count, machine->stack[i]);
    }
    machine->stack_count = from;
}

sft_ref sft_machine_gather(sft_machine *machine, sft_value_kind kind, uint64_t from) {
    sft_ref ref = room_from(machine, from) ? sft_machine_new(machine, kind) : SFT_NO_REF;
    if (ref != SFT_NO_REF) {
        sft_value *value = value_of(machine, ref);
        add_from(machine, &value->items, &value->count, from);
    }
    return ref;
}

bool sft_op_empty(sft_machine *machine, sft_value_kind kind) {
    return sft_machine_push(machine, sft_machine_new(machine, kind));
}

bool sft_op_tuple(sft_machine *machine, uint64_t length) {
    if (machine->stack_count < machine->fence + length) {
        return sft_machine_break(machine, "a tuple needs more values than there are");
    }
    return sft_machine_push(
        machine, sft_machine_gather(machine, SFT_VALUE_TUPLE, machine->stack_count - length));
}

bool sft_op_marked(sft_machine *machine, sft_value_kind kind) {
    uint64_t from = 0;
    if (!sft_machine_unmark(machine, &from)) {
        return false;
    }
    if (kind == SFT_VALUE_DICT && (machine->stack_count - from) % 2 != 0) {
        return sft_machine_break(machine, "a dict has a key without a value");
    }
    return sft_machine_push(machine, sft_machine_gather(machine, kind, from));
}

/* The rows of a value to which items are added; none where nothing keeps them. */
typedef struct rows {
    sft_items *items;
    uint32_t *count;
} rows;

static bool add_all(sft_machine *machine, rows to, uint64_t from) {
    if (to.items == NULL) {
        machine->stack_count = from;
        return true;
    }
    if (!room_from(machine, from)) {
        return false;
    }
    add_from(machine, to.items, to.count, from);
    return true;
}

/* The value below the items that begin at `from`; all of them must be above the fence. */
static sft_ref container_below(sft_machine *machine, uint64_t from) {
    if (from <= machine->fence) {
        sft_machine_break(machine, "there is nothing that items could be added to");
        return SFT_NO_REF;
    }
    return machine->stack[from - 1];
}

/*
 * What is no list of Python's own has a method called: extend(), append() or add(), with whatever
 * that does.
 */
static bool append(sft_machine *machine, uint64_t from, sft_value_kind onto) {
    sft_ref container = container_below(machine, from);
    if (container == SFT_NO_REF || machine->stack_count == from) {
        return container != SFT_NO_REF;
    }
    sft_value *value = value_of(machine, container);
    rows to = {NULL, NULL};
    if (value->kind == (uint8_t)onto) {
        to = (rows){&value->items, &value->count};
    } else if (!sft_machine_effect(machine, SFT_EFFECT_APPEND, container, machine->stack[from])) {
        return false;
    } else if (value->kind == SFT_VALUE_OBJECT) {
        sft_object *object = sft_graph_object_of(machine->graph, container);
        to = (rows){&object->appended, &object->appended_count};
    }
    return add_all(machine, to, from);
}

bool sft_op_append(sft_machine *machine) {
    if (machine->stack_count <= machine->fence + 1) {
        return sft_machine_break(machine, "there is nothing that items could be added to");
    }
    return append(machine, machine->stack_count - 1, SFT_VALUE_LIST);
}

bool sft_op_appends(sft_machine *machine, sft_value_kind onto) {
    uint64_t from = 0;
    return sft_machine_unmark(machine, &from) && append(machine, from, onto);
}

static bool set_items(sft_machine *machine, uint64_t from) {
    sft_ref container = container_below(machine, from);
    if (container == SFT_NO_REF || machine->stack_count == from) {
        return container != SFT_NO_REF;
    }
    if ((machine->stack_count - from) % 2 != 0) {
        return sft_machine_break(machine, "a dict has a key without a value");
    }
    sft_value *value = value_of(machine, container);
    rows to = {NULL, NULL};
    if (value->kind == SFT_VALUE_DICT) {
        to = (rows){&value->items, &value->count};
    } else if (!sft_machine_effect(machine, SFT_EFFECT_SET_ITEM, container, machine->stack[from])) {
        return false;
    } else if (value->kind == SFT_VALUE_OBJECT) {
        sft_object *object = sft_graph_object_of(machine->graph, container);
        to = (rows){&object->set, &object->set_count};
    }
    return add_all(machine, to, from);
}

bool sft_op_setitem(sft_machine *machine) {
    if (machine->stack_count < machine->fence + 3) {
        return sft_machine_break(machine, "there is nothing that items could be added to");
    }
    return set_items(machine, machine->stack_count - 2);
}

bool sft_op_setitems(sft_machine *machine) {
    uint64_t from = 0;
    return sft_machine_unmark(machine, &from) && set_items(machine, from);
}
