/* The states that BUILD gives: which of them do nothing but fill an instance. */
#include <string.h>

#include "base/checked.h"
#include "pickle/judge_state.h"

/* ---- attributes ---- */

/*
 * An attribute with such a name can take the place of a method that a later opcode calls: an
 * instance whose __setstate__ is a loader hands it the next state. APPENDS looks for extend and
 * append, ADDITEMS for add.
 */
static bool is_machinery(const char *name, uint64_t length) {
    static const char *const methods[] = {"append", "extend", "add"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (length == strlen(methods[i]) && memcmp(name, methods[i], (size_t)length) == 0) {
            return true;
        }
    }
    return length >= 2 && name[0] == '_' && name[1] == '_';
}

static const char *check_name(const sft_judging *j, sft_ref key) {
    sft_value_kind kind = sft_state_kind(j, key);
    if (kind != SFT_VALUE_STR && kind != SFT_VALUE_OLD_STR) {
        return kind == SFT_VALUE_OBJECT ? "the name of an attribute is computed while loading"
                                        : "an attribute has something else for a name than a text";
    }
    const sft_long_text *name = sft_graph_text(j->graph, key);
    if (name->text.bytes == NULL) {
        return "the name of an attribute is longer than anyone can read";
    }
    return is_machinery(name->text.bytes, name->length)
               ? "an attribute has the name of a method that loading itself calls"
               : NULL;
}

static const char *check_names(sft_judging *j, sft_ref dict) {
    if (sft_state_is_none(j, dict)) {
        return NULL;
    }
    if (sft_state_kind(j, dict) != SFT_VALUE_DICT) {
        return "its attributes do not come as a plain dictionary";
    }
    const char *fault = NULL;
    uint32_t link = sft_graph_value(j->graph, dict)->items.first;
    while (link != 0 && fault == NULL) {
        fault = check_name(j, sft_graph_item(j->graph, &link));
        if (link != 0) {
            sft_graph_item(j->graph, &link);
        }
    }
    return fault;
}

const char *sft_judge_attributes(sft_judging *j, sft_ref state) {
    if (state == SFT_NO_REF || (j->marks[state] & SFT_MARK_PLAIN) != 0) {
        return NULL;
    }
    if ((j->marks[state] & SFT_MARK_ODD) != 0) {
        return "its state is one that was found odd before";
    }
    const char *fault;
    /* The second of a pair would be set one by one, through methods of the class. */
    bool pair =
        sft_state_kind(j, state) == SFT_VALUE_TUPLE && sft_graph_value(j->graph, state)->count == 2;
    if (pair && !sft_state_is_none(j, sft_state_at(j, state, 1))) {
        fault = "some of its attributes are set through methods of its class";
    } else {
        fault = check_names(j, pair ? sft_state_at(j, state, 0) : state);
    }
    j->marks[state] |= fault == NULL ? SFT_MARK_PLAIN : SFT_MARK_ODD;
    return fault;
}

/* ---- PyTorch ---- */

bool sft_judging_elements(const sft_judging *j, sft_ref sizes, uint64_t *elements) {
    sft_ref arguments;
    uint32_t count;
    if (sft_judging_made_by(j, sizes) == SFT_ROLE_TORCH_SIZE &&
        sft_judging_arguments(j, sizes, &arguments, &count) && count == 1) {
        sizes = sft_state_at(j, arguments, 0);
    }
    sft_value_kind kind = sft_state_kind(j, sizes);
    *elements = 1;
    if (kind != SFT_VALUE_TUPLE || sft_graph_value(j->graph, sizes)->count > 64) {
        return false;
    }
    bool zero = false;
    for (uint32_t link = sft_graph_value(j->graph, sizes)->items.first; link != 0;) {
        uint64_t size;
        if (!sft_graph_size(j->graph, sft_graph_item(j->graph, &link), &size)) {
            return false;
        }
        zero = zero || size == 0;
        if (!sft_multiply(*elements, size == 0 ? 1 : size, elements)) {
            return false;
        }
    }
    *elements = zero ? 0 : *elements;
    return true;
}

/*
 * (requires_grad, _, hooks), (storage, offset, size, stride), or of old Variables
 * (data, _, hooks, requires_grad, _).
 */
static const char *check_tensor(const sft_judging *j, sft_ref state) {
    uint32_t count =
        sft_state_kind(j, state) == SFT_VALUE_TUPLE ? sft_graph_value(j->graph, state)->count : 0;
    switch (count) {
    case 3:
    case 5:
        if (count == 5 && !sft_judging_is_tensor(j, sft_state_at(j, state, 0))) {
            return "a tensor's data is no tensor";
        }
        return sft_judging_no_hooks(j, sft_state_at(j, state, 2))
                   ? NULL
                   : "a tensor brings functions along that training would call";
    case 4: {
        const sft_ref view[] = {sft_state_at(j, state, 1), sft_state_at(j, state, 2),
                                sft_state_at(j, state, 3)};
        return sft_judging_is_storage(j, sft_state_at(j, state, 0))
                   ? sft_judge_extent(j, sft_state_at(j, state, 0), view)
                   : "a tensor's storage is none";
    }
    default:
        return "a tensor's state is not as PyTorch writes it";
    }
}

const char *sft_judge_state(sft_judging *j, const sft_known *known, sft_ref object, sft_ref state) {
    switch (known->role) {
    case SFT_ROLE_NUMPY_RECONSTRUCT:
        return sft_judge_array(j, object, state);
    case SFT_ROLE_NUMPY_DTYPE:
        return sft_judge_dtype(j, object, state);
    case SFT_ROLE_TORCH_TENSOR_CLASS:
    case SFT_ROLE_TORCH_PARAMETER_CLASS:
        return check_tensor(j, state);
    default:
        return sft_judge_attributes(j, state);
    }
}
