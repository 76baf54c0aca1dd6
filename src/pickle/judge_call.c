/*
 * Calls of what is allowed or inert: with which arguments they build a value and do nothing else.
 * What is not known to be well is not let pass: a real checkpoint writes the same few shapes.
 */
#include "pickle/judge_call.h"

#include "base/checked.h"

const char sft_too_much[] = "it asks for more memory than the whole file can justify";
const char sft_too_far[] = "it would make a storage grow beyond the size of the whole file";
const char sft_odd[] = "no program that writes checkpoints calls it so";
const char sft_computed[] = "what it gets is computed while loading";

/* ---- what a call may cost ---- */

bool sft_judging_grant(sft_judging *j, uint64_t bytes) {
    /* The same bytes may be named again and again; nobody needs them more than a few times. */
    uint64_t all;
    bool fits = sft_add(j->granted, bytes, &all) && bytes <= j->judge->input_size &&
                all / 4 <= j->judge->input_size;
    j->granted = fits ? all : j->granted;
    return fits;
}

const char *sft_arg_grant(const sft_call *c, uint64_t bytes) {
    return sft_judging_grant(c->j, bytes) ? NULL : sft_too_much;
}

const char *sft_arg_grant_elements(const sft_call *c, uint64_t count, uint64_t size) {
    uint64_t bytes;
    return sft_multiply(count, size, &bytes) ? sft_arg_grant(c, bytes) : sft_too_much;
}

/* A number of elements; what is negative raises an error. */
const char *sft_arg_grant_number(const sft_call *c, sft_ref ref, uint64_t size) {
    uint64_t count;
    if (sft_arg_is(c, ref, SFT_VALUE_BIG_INT)) {
        return sft_too_much;
    }
    return sft_graph_size(c->j->graph, ref, &count) ? sft_arg_grant_elements(c, count, size) : NULL;
}

/* What is gone through element by element: a plain value, or a container that was filled. */
const char *sft_arg_grant_iterable(const sft_call *c, sft_ref ref) {
    const sft_value *value = sft_graph_value(c->j->graph, ref);
    switch ((sft_value_kind)value->kind) {
    case SFT_VALUE_LIST:
    case SFT_VALUE_TUPLE:
    case SFT_VALUE_DICT:
    case SFT_VALUE_SET:
    case SFT_VALUE_FROZENSET:
        return sft_arg_grant(c, value->count);
    case SFT_VALUE_STR:
    case SFT_VALUE_OLD_STR:
    case SFT_VALUE_BYTES:
    case SFT_VALUE_BYTEARRAY:
        return sft_arg_grant(c, sft_graph_text(c->j->graph, ref)->length);
    case SFT_VALUE_OBJECT:
        break;
    default:
        return sft_odd;
    }
    const sft_object *object = sft_graph_object(c->j->graph, ref);
    sft_ref arguments;
    uint32_t count;
    uint64_t parts;
    sft_role role = sft_judging_made_by(c->j, ref);
    /* An attribute could take the place of its method `keys`. */
    bool filled = (role == SFT_ROLE_ORDERED_DICT || role == SFT_ROLE_DICT ||
                   role == SFT_ROLE_LIST || role == SFT_ROLE_SET || role == SFT_ROLE_COUNTER) &&
                  object->state_count == 0;
    if (!filled || !sft_judging_arguments(c->j, ref, &arguments, &count) || count != 0) {
        return sft_computed;
    }
    return sft_add(object->set_count, object->appended_count, &parts) ? sft_arg_grant(c, parts)
                                                                      : sft_too_much;
}

/* ---- Python ---- */

static const char *check_encode(const sft_call *c) {
    if (c->count != 2 || !sft_arg_is_text(c, sft_arg(c, 0))) {
        return c->count == 2 ? sft_computed : sft_odd;
    }
    if (!sft_is_latin1(c->j->graph, sft_arg(c, 1))) {
        return "only latin1 is known to do nothing but turn a text into bytes";
    }
    /* Its UTF-8 may be twice as long as what protocol 0 has in the file: a byte each. */
    return sft_arg_grant(c, sft_graph_text(c->j->graph, sft_arg(c, 0))->length / 2);
}

static const char *check_bytes(const sft_call *c) {
    sft_ref first = sft_arg(c, 0);
    sft_ref text;
    bool latin1;
    if (c->count == 0) {
        return NULL;
    }
    if (c->count == 2) {
        return check_encode(c);
    }
    if (c->count > 2) {
        return sft_odd;
    }
    if (sft_arg_is_number(c, first)) {
        return sft_arg_grant_number(c, first, 1);
    }
    if (sft_arg_is(c, first, SFT_VALUE_BUFFER)) {
        return NULL;
    }
    return sft_bytes_of(c->j->graph, first, &text, &latin1)
               ? sft_arg_grant(c, sft_graph_text(c->j->graph, text)->length / (latin1 ? 2 : 1))
               : sft_arg_grant_iterable(c, first);
}

const char *sft_check_container(const sft_call *c) {
    return c->count == 0   ? NULL
           : c->count == 1 ? sft_arg_grant_iterable(c, sft_arg(c, 0))
                           : sft_odd;
}

static const char *check_default_dict(const sft_call *c) {
    sft_ref factory = sft_arg(c, 0);
    if (c->count == 0) {
        return NULL;
    }
    if (!sft_arg_is(c, factory, SFT_VALUE_NONE)) {
        sft_known known = {{SFT_POLICY_UNKNOWN, NULL, false}, 0, SFT_ROLE_NONE, ""};
        known = sft_arg_is(c, factory, SFT_VALUE_GLOBAL) ? sft_judging_known(c->j, factory) : known;
        if (known.answer.class != SFT_POLICY_ALLOWED || (known.flags & SFT_POLICY_CALLABLE) == 0) {
            return "its factory, which runs when a key is missing, is not allowed";
        }
    }
    return c->count == 1   ? NULL
           : c->count == 2 ? sft_arg_grant_iterable(c, sft_arg(c, 1))
                           : sft_odd;
}

static bool is_scalar(const sft_call *c, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(c->j->graph, ref);
    sft_role role = sft_judging_made_by(c->j, ref);
    return kind <= SFT_VALUE_BYTEARRAY || role == SFT_ROLE_SCALAR || role == SFT_ROLE_NUMPY_SCALAR;
}

/* Digits of a text that int() or float() reads; beyond that Python itself takes long. */
#define LONGEST_NUMBER 4300

static const char *check_scalar(const sft_call *c) {
    if (c->count > 3) {
        return sft_odd;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        sft_ref ref = sft_arg(c, i);
        if (!is_scalar(c, ref)) {
            return sft_computed;
        }
        bool is_long = sft_graph_kind(c->j->graph, ref) >= SFT_VALUE_STR &&
                       sft_graph_kind(c->j->graph, ref) <= SFT_VALUE_BYTEARRAY &&
                       sft_graph_text(c->j->graph, ref)->length > LONGEST_NUMBER;
        if (is_long || (i > 0 && sft_arg_is_text(c, ref) && !sft_is_latin1(c->j->graph, ref))) {
            return is_long ? sft_too_much : sft_odd;
        }
    }
    return NULL;
}

/* (class, base, state): only object as a base does not run the class's own methods. */
static const char *check_reconstructor(const sft_call *c) {
    if (c->count != 3 || !sft_arg_is(c, sft_arg(c, 0), SFT_VALUE_GLOBAL)) {
        return sft_odd;
    }
    sft_known made = sft_judging_known(c->j, sft_arg(c, 0));
    if ((made.flags & (SFT_POLICY_NEW | SFT_POLICY_CALLABLE)) == 0) {
        return "the class that it makes an instance of is not on the list of what is known to be "
               "harmless";
    }
    return sft_arg_role(c, sft_arg(c, 1)) == SFT_ROLE_OBJECT &&
                   sft_arg_is(c, sft_arg(c, 2), SFT_VALUE_NONE)
               ? NULL
               : "it runs the methods of a base class other than object";
}

/* ---- all of them ---- */

static const char *check_text(const sft_call *c) {
    return c->count == 1 && sft_arg_is_text(c, sft_arg(c, 0)) ? NULL : sft_odd;
}

/* How many arguments of a record are looked at. */
#define ARGUMENTS 64

/*
 * A record takes plain values and other records. It might call a function, and go through a range
 * to its end; one that keeps a row of elements goes through whatever it gets.
 */
static const char *check_record(const sft_call *c) {
    if (c->count > ARGUMENTS) {
        return sft_odd;
    }
    if ((c->known->flags & SFT_POLICY_SEQUENCE) != 0 && c->count > 0) {
        const char *fault = sft_arg_grant_iterable(c, sft_arg(c, 0));
        if (fault != NULL) {
            return fault;
        }
    }
    for (uint32_t i = 0; i < c->count; i++) {
        sft_ref ref = sft_arg(c, i);
        sft_value_kind kind = sft_graph_kind(c->j->graph, ref);
        if (kind == SFT_VALUE_GLOBAL) {
            return "it gets a function or a class, which it might call";
        }
        if (sft_judging_made_by(c->j, ref) == SFT_ROLE_SCALAR) {
            return sft_computed;
        }
        bool counts = kind >= SFT_VALUE_STR && kind <= SFT_VALUE_FROZENSET;
        const char *fault = counts ? sft_arg_grant_iterable(c, ref) : NULL;
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

const char *sft_check_arguments(const sft_call *c) {
    switch (c->known->role) {
    case SFT_ROLE_NONE:
        return c->known->answer.class == SFT_POLICY_ALLOWED ? check_text(c) : check_record(c);
    case SFT_ROLE_ORDERED_DICT:
    case SFT_ROLE_COUNTER:
    case SFT_ROLE_DICT:
    case SFT_ROLE_LIST:
    case SFT_ROLE_SET:
        return sft_check_container(c);
    case SFT_ROLE_DEFAULT_DICT:
        return check_default_dict(c);
    case SFT_ROLE_ENCODE:
        return check_encode(c);
    case SFT_ROLE_BYTES:
    case SFT_ROLE_BYTEARRAY:
        return check_bytes(c);
    case SFT_ROLE_SCALAR:
        return check_scalar(c);
    case SFT_ROLE_RECONSTRUCTOR:
        return check_reconstructor(c);
    case SFT_ROLE_NUMPY_RECONSTRUCT:
    case SFT_ROLE_NUMPY_SCALAR:
    case SFT_ROLE_NUMPY_DTYPE:
    case SFT_ROLE_NUMPY_DTYPE_CLASS:
    case SFT_ROLE_NUMPY_FROM_BUFFER:
        return sft_check_numpy(c);
    default:
        return sft_check_torch(c);
    }
}

/* Keywords come with NEWOBJ_EX, which nothing that is allowed is written by. */
static bool has_keywords(const sft_judging *j, const sft_object *object) {
    return object->keywords != SFT_NO_REF && !sft_arg_is_empty(j->graph, object->keywords);
}

const char *sft_judge_call(sft_judging *j, const sft_known *known, sft_ref object) {
    sft_call c = {j, known, SFT_NO_REF, 0};
    const sft_object *made = sft_graph_object(j->graph, object);
    if (!sft_judging_arguments(j, object, &c.arguments, &c.count)) {
        return sft_computed;
    }
    if (known->answer.entry == NULL) {
        return NULL;
    }
    if (has_keywords(j, made)) {
        return sft_odd;
    }
    if ((known->flags & SFT_POLICY_CALLABLE) != 0) {
        return sft_check_arguments(&c);
    }
    if (made->call == SFT_CALL_REDUCE) {
        return "only an empty instance of it is known to be harmless, and this runs its __init__";
    }
    return c.count == 0 ? NULL : sft_odd;
}
