/*
 * Calls of what is allowed or inert: with which arguments they build a value and do nothing else.
 * What is not known to be well is not let pass: a real checkpoint writes the same few shapes.
 */
#include <string.h>

#include "base/checked.h"
#include "pickle/judging.h"

/* The arguments of a call. */
typedef struct call {
    sft_judging *j;
    const sft_known *known;
    sft_ref arguments; /* a TUPLE */
    uint32_t count;
} call;

static const char too_much[] = "it asks for more memory than the whole file can justify";
static const char odd[] = "no program that writes checkpoints calls it so";
static const char computed[] = "what it gets is computed while loading";

static sft_ref at(const call *c, uint32_t index) {
    return sft_graph_at(c->j->graph, c->arguments, index);
}

static bool is_kind(const call *c, sft_ref ref, sft_value_kind kind) {
    return ref != SFT_NO_REF && sft_graph_kind(c->j->graph, ref) == kind;
}

static bool is_text(const call *c, sft_ref ref) {
    return is_kind(c, ref, SFT_VALUE_STR) || is_kind(c, ref, SFT_VALUE_OLD_STR);
}

static bool is_number(const call *c, sft_ref ref) {
    return is_kind(c, ref, SFT_VALUE_INT) || is_kind(c, ref, SFT_VALUE_BOOL) ||
           is_kind(c, ref, SFT_VALUE_BIG_INT);
}

static sft_role role_of(const call *c, sft_ref ref) {
    return is_kind(c, ref, SFT_VALUE_GLOBAL) ? sft_judging_known(c->j, ref).role : SFT_ROLE_NONE;
}

/* ---- what a call may cost ---- */

bool sft_judging_grant(sft_judging *j, uint64_t bytes) {
    /* The same bytes may be named again and again; nobody needs them more than a few times. */
    uint64_t all;
    bool fits = sft_add(j->granted, bytes, &all) && bytes <= j->judge->input_size &&
                all / 4 <= j->judge->input_size;
    j->granted = fits ? all : j->granted;
    return fits;
}

static const char *grant(const call *c, uint64_t bytes) {
    return sft_judging_grant(c->j, bytes) ? NULL : too_much;
}

static const char *grant_elements(const call *c, uint64_t count, uint64_t size) {
    uint64_t bytes;
    return sft_multiply(count, size, &bytes) ? grant(c, bytes) : too_much;
}

/* A number of elements; what is negative raises an error. */
static const char *grant_number(const call *c, sft_ref ref, uint64_t size) {
    uint64_t count;
    if (is_kind(c, ref, SFT_VALUE_BIG_INT)) {
        return too_much;
    }
    return sft_graph_size(c->j->graph, ref, &count) ? grant_elements(c, count, size) : NULL;
}

/* What is gone through element by element: a plain value, or a container that was filled. */
static const char *grant_iterable(const call *c, sft_ref ref) {
    const sft_value *value = sft_graph_value(c->j->graph, ref);
    switch ((sft_value_kind)value->kind) {
    case SFT_VALUE_LIST:
    case SFT_VALUE_TUPLE:
    case SFT_VALUE_DICT:
    case SFT_VALUE_SET:
    case SFT_VALUE_FROZENSET:
        return grant(c, value->count);
    case SFT_VALUE_STR:
    case SFT_VALUE_OLD_STR:
    case SFT_VALUE_BYTES:
    case SFT_VALUE_BYTEARRAY:
        return grant(c, sft_graph_text(c->j->graph, ref)->length);
    case SFT_VALUE_OBJECT:
        break;
    default:
        return odd;
    }
    const sft_object *object = sft_graph_object(c->j->graph, ref);
    sft_ref arguments;
    uint32_t count;
    uint64_t parts;
    sft_role role = sft_judging_made_by(c->j, ref);
    bool filled = role == SFT_ROLE_ORDERED_DICT || role == SFT_ROLE_DICT || role == SFT_ROLE_LIST ||
                  role == SFT_ROLE_SET || role == SFT_ROLE_COUNTER;
    if (!filled || !sft_judging_arguments(c->j, ref, &arguments, &count) || count != 0) {
        return computed;
    }
    return sft_add(object->set_count, object->appended_count, &parts) ? grant(c, parts) : too_much;
}

/* ---- Python ---- */

static const char *check_encode(const call *c) {
    if (c->count != 2 || !is_text(c, at(c, 0))) {
        return c->count == 2 ? computed : odd;
    }
    if (!sft_is_latin1(c->j->graph, at(c, 1))) {
        return "only latin1 is known to do nothing but turn a text into bytes";
    }
    return grant(c, sft_graph_text(c->j->graph, at(c, 0))->length);
}

static const char *check_bytes(const call *c) {
    sft_ref first = at(c, 0);
    sft_ref text;
    bool latin1;
    if (c->count == 0) {
        return NULL;
    }
    if (c->count == 2) {
        return check_encode(c);
    }
    if (c->count > 2) {
        return odd;
    }
    if (is_number(c, first)) {
        return grant_number(c, first, 1);
    }
    if (is_kind(c, first, SFT_VALUE_BUFFER)) {
        return NULL;
    }
    return sft_bytes_of(c->j->graph, first, &text, &latin1)
               ? grant(c, sft_graph_text(c->j->graph, text)->length)
               : grant_iterable(c, first);
}

static const char *check_container(const call *c) {
    return c->count == 0 ? NULL : c->count == 1 ? grant_iterable(c, at(c, 0)) : odd;
}

static const char *check_default_dict(const call *c) {
    sft_ref factory = at(c, 0);
    if (c->count == 0) {
        return NULL;
    }
    if (!is_kind(c, factory, SFT_VALUE_NONE)) {
        sft_known known = {{SFT_POLICY_UNKNOWN, NULL, false}, 0, SFT_ROLE_NONE, ""};
        known = is_kind(c, factory, SFT_VALUE_GLOBAL) ? sft_judging_known(c->j, factory) : known;
        if (known.answer.class != SFT_POLICY_ALLOWED || (known.flags & SFT_POLICY_CALLABLE) == 0) {
            return "its factory, which runs when a key is missing, is not allowed";
        }
    }
    return c->count == 1 ? NULL : c->count == 2 ? grant_iterable(c, at(c, 1)) : odd;
}

static bool is_scalar(const call *c, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(c->j->graph, ref);
    sft_role role = sft_judging_made_by(c->j, ref);
    return kind <= SFT_VALUE_BYTEARRAY || role == SFT_ROLE_SCALAR || role == SFT_ROLE_NUMPY_SCALAR;
}

/* Digits of a text that int() or float() reads; beyond that Python itself takes long. */
#define LONGEST_NUMBER 4300

static const char *check_scalar(const call *c) {
    if (c->count > 3) {
        return odd;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        sft_ref ref = at(c, i);
        if (!is_scalar(c, ref)) {
            return computed;
        }
        bool is_long = sft_graph_kind(c->j->graph, ref) >= SFT_VALUE_STR &&
                       sft_graph_kind(c->j->graph, ref) <= SFT_VALUE_BYTEARRAY &&
                       sft_graph_text(c->j->graph, ref)->length > LONGEST_NUMBER;
        if (is_long || (i > 0 && is_text(c, ref) && !sft_is_latin1(c->j->graph, ref))) {
            return is_long ? too_much : odd;
        }
    }
    return NULL;
}

/* (class, base, state): only object as a base does not run the class's own methods. */
static const char *check_reconstructor(const call *c) {
    if (c->count != 3 || !is_kind(c, at(c, 0), SFT_VALUE_GLOBAL)) {
        return odd;
    }
    sft_known made = sft_judging_known(c->j, at(c, 0));
    if ((made.flags & (SFT_POLICY_NEW | SFT_POLICY_CALLABLE)) == 0) {
        return "the class that it makes an instance of is not on the list of what is known to be "
               "harmless";
    }
    return role_of(c, at(c, 1)) == SFT_ROLE_OBJECT && is_kind(c, at(c, 2), SFT_VALUE_NONE)
               ? NULL
               : "it runs the methods of a base class other than object";
}

/* ---- NumPy ---- */

static bool is_dtype(const call *c, sft_ref ref) {
    sft_role role = sft_judging_made_by(c->j, ref);
    return role == SFT_ROLE_NUMPY_DTYPE || role == SFT_ROLE_NUMPY_DTYPE_CLASS;
}

/* (ndarray, shape, b'b'): an array of bytes, most often without elements. */
static const char *check_reconstruct(const call *c) {
    uint64_t elements;
    if (c->count != 3) {
        return odd;
    }
    if (role_of(c, at(c, 0)) != SFT_ROLE_NUMPY_ARRAY) {
        return "the class of the array is not numpy.ndarray";
    }
    if (!is_text(c, at(c, 2)) && !sft_judging_is_bytes(c->j, at(c, 2))) {
        return computed;
    }
    return sft_judging_elements(c->j, at(c, 1), &elements) ? grant_elements(c, elements, 1)
                                                           : computed;
}

/* Letters and digits, maybe behind a byte order: nothing that NumPy parses into more. */
static bool is_dtype_text(const call *c, sft_ref ref) {
    const sft_long_text *text = is_text(c, ref) ? sft_graph_text(c->j->graph, ref) : NULL;
    if (text == NULL || text->text.bytes == NULL || text->length == 0 || text->length > 32) {
        return false;
    }
    for (uint64_t i = 0; i < text->length; i++) {
        char letter = text->text.bytes[i];
        bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                     (letter >= '0' && letter <= '9') || letter == '_' || letter == '?';
        if (!plain && (i > 0 || strchr("<>|=", letter) == NULL)) {
            return false;
        }
    }
    return true;
}

static const char *check_dtype(const call *c) {
    sft_ref what = at(c, 0);
    if (c->count == 0 || c->count > 3 ||
        (!is_dtype_text(c, what) && role_of(c, what) != SFT_ROLE_NUMPY_DTYPE_CLASS)) {
        return odd;
    }
    for (uint32_t i = 1; i < c->count; i++) {
        if (!is_number(c, at(c, i))) {
            return odd;
        }
    }
    return NULL;
}

static const char *check_dtype_class(const call *c) {
    return c->count == 0 || (c->count == 1 && is_number(c, at(c, 0))) ? NULL : odd;
}

static const char *check_numpy_scalar(const call *c) {
    return c->count == 2 && is_dtype(c, at(c, 0)) && sft_judging_is_bytes(c->j, at(c, 1)) ? NULL
                                                                                          : odd;
}

/* (bytes, dtype, shape, order): a view. */
static const char *check_from_buffer(const call *c) {
    bool over_bytes =
        sft_judging_is_bytes(c->j, at(c, 0)) || is_kind(c, at(c, 0), SFT_VALUE_BUFFER);
    return c->count == 4 && over_bytes && is_dtype(c, at(c, 1)) && is_text(c, at(c, 3)) ? NULL
                                                                                        : odd;
}

/* ---- PyTorch ---- */

bool sft_judging_is_storage(const sft_judging *j, sft_ref ref) {
    if (ref == SFT_NO_REF) {
        return false;
    }
    sft_role role = sft_judging_made_by(j, ref);
    return sft_graph_kind(j->graph, ref) == SFT_VALUE_PERSISTENT ||
           role == SFT_ROLE_TORCH_LOAD_FROM_BYTES || role == SFT_ROLE_TORCH_STORAGE_CLASS ||
           role == SFT_ROLE_TORCH_UNTYPED_STORAGE || role == SFT_ROLE_TORCH_TYPED_STORAGE;
}

static bool builds_tensor(sft_role role) {
    switch (role) {
    case SFT_ROLE_TORCH_TENSOR:
    case SFT_ROLE_TORCH_TENSOR_V2:
    case SFT_ROLE_TORCH_TENSOR_V3:
    case SFT_ROLE_TORCH_PARAMETER:
    case SFT_ROLE_TORCH_PARAMETER_STATE:
    case SFT_ROLE_TORCH_FROM_NUMPY:
    case SFT_ROLE_TORCH_FROM_CPU:
    case SFT_ROLE_TORCH_META:
    case SFT_ROLE_TORCH_UNSUPPORTED:
        return true;
    default:
        return false;
    }
}

/* A tensor that was loaded out of bytes counts too: PyTorch writes single storages so. */
bool sft_judging_is_tensor(const sft_judging *j, sft_ref ref) {
    sft_role role = ref != SFT_NO_REF ? sft_judging_made_by(j, ref) : SFT_ROLE_NONE;
    return builds_tensor(role) || role == SFT_ROLE_TORCH_FROM_TYPE_V2 ||
           role == SFT_ROLE_TORCH_TENSOR_CLASS || role == SFT_ROLE_TORCH_PARAMETER_CLASS;
}

static bool is_empty(const sft_graph *graph, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    return (kind == SFT_VALUE_LIST || kind == SFT_VALUE_TUPLE || kind == SFT_VALUE_DICT) &&
           sft_graph_value(graph, ref)->count == 0;
}

bool sft_judging_no_hooks(const sft_judging *j, sft_ref ref) {
    if (ref == SFT_NO_REF) {
        return false;
    }
    if (sft_graph_kind(j->graph, ref) == SFT_VALUE_NONE || is_empty(j->graph, ref)) {
        return true;
    }
    sft_ref arguments;
    uint32_t count;
    if (sft_judging_made_by(j, ref) != SFT_ROLE_ORDERED_DICT ||
        !sft_judging_arguments(j, ref, &arguments, &count)) {
        return false;
    }
    const sft_object *object = sft_graph_object(j->graph, ref);
    bool no_items =
        count == 0 || (count == 1 && is_empty(j->graph, sft_graph_at(j->graph, arguments, 0)));
    return no_items && object->set_count == 0 && object->state_count == 0;
}

static const char hooks[] = "it brings functions along that training would call";
static const char no_storage[] = "what should be a storage is none";
static const char no_tensor[] = "what should be a tensor is none";

/* {'conj': True, 'neg': True}, or None. */
static bool is_metadata(const call *c, sft_ref ref) {
    if (is_kind(c, ref, SFT_VALUE_NONE)) {
        return true;
    }
    if (!is_kind(c, ref, SFT_VALUE_DICT) || sft_graph_value(c->j->graph, ref)->count > 32) {
        return false;
    }
    bool plain = true;
    for (uint32_t link = sft_graph_value(c->j->graph, ref)->items.first; link != 0;) {
        sft_ref part = sft_graph_item(c->j->graph, &link);
        plain = plain && (is_text(c, part) || is_number(c, part));
    }
    return plain;
}

/* (storage, offset, size, stride[, requires_grad, hooks[, dtype][, metadata]]) */
static const char *check_tensor(const call *c) {
    bool v3 = c->known->role == SFT_ROLE_TORCH_TENSOR_V3;
    uint32_t needed = c->known->role == SFT_ROLE_TORCH_TENSOR ? 4 : v3 ? 7 : 6;
    if (c->count < needed || c->count > (needed == 4 ? 4 : needed + 1)) {
        return odd;
    }
    if (!sft_judging_is_storage(c->j, at(c, 0))) {
        return no_storage;
    }
    if (needed > 4 && !sft_judging_no_hooks(c->j, at(c, 5))) {
        return hooks;
    }
    if (v3 && role_of(c, at(c, 6)) != SFT_ROLE_TORCH_DTYPE) {
        return "what should be a dtype is none";
    }
    return c->count == needed || is_metadata(c, at(c, needed)) ? NULL : odd;
}

/* (tensor, requires_grad, hooks[, state]) */
static const char *check_parameter(const call *c) {
    bool with_state = c->known->role == SFT_ROLE_TORCH_PARAMETER_STATE;
    if (c->count != (with_state ? 4 : 3)) {
        return odd;
    }
    if (!sft_judging_is_tensor(c->j, at(c, 0))) {
        return no_tensor;
    }
    if (!sft_judging_no_hooks(c->j, at(c, 2))) {
        return hooks;
    }
    return with_state ? sft_judge_attributes(c->j, at(c, 3)) : NULL;
}

static const char *check_class_of_parameter(const call *c) {
    if (c->count == 0) {
        return NULL;
    }
    return !sft_judging_is_tensor(c->j, at(c, 0)) ? no_tensor : c->count > 2 ? odd : NULL;
}

/* A tensor is copied to its device: what was one element again and again becomes as many. */
static const char *grant_copy(const call *c, sft_ref tensor) {
    sft_ref arguments;
    uint32_t count;
    uint64_t elements;
    sft_role role = sft_judging_made_by(c->j, tensor);
    bool plain = role == SFT_ROLE_TORCH_TENSOR || role == SFT_ROLE_TORCH_TENSOR_V2 ||
                 role == SFT_ROLE_TORCH_TENSOR_V3;
    if (!plain || !sft_judging_arguments(c->j, tensor, &arguments, &count) || count < 3) {
        return no_tensor;
    }
    sft_ref sizes = sft_graph_at(c->j->graph, arguments, 2);
    return sft_judging_elements(c->j, sizes, &elements) ? grant(c, elements) : computed;
}

/* (array, dtype, device, requires_grad), or with a tensor for the array. */
static const char *check_device_tensor(const call *c) {
    if (c->count != 4 || role_of(c, at(c, 1)) != SFT_ROLE_TORCH_DTYPE) {
        return odd;
    }
    if (c->known->role == SFT_ROLE_TORCH_FROM_CPU) {
        return grant_copy(c, at(c, 0));
    }
    sft_role made_by = sft_judging_made_by(c->j, at(c, 0));
    return made_by == SFT_ROLE_NUMPY_RECONSTRUCT || made_by == SFT_ROLE_NUMPY_FROM_BUFFER
               ? NULL
               : "what should be an array is none";
}

/* A list of lists may name the same one again and again: numbers only. */
static const char *grant_numbers(const call *c, sft_ref list) {
    const char *fault = grant_iterable(c, list);
    uint32_t link = sft_graph_value(c->j->graph, list)->items.first;
    while (link != 0 && fault == NULL) {
        sft_ref item = sft_graph_item(c->j->graph, &link);
        fault = is_number(c, item) || is_kind(c, item, SFT_VALUE_FLOAT) ? NULL : odd;
    }
    return fault;
}

/* Sizes, or one list of elements, or nothing. */
static const char *check_class_of_tensors(const call *c) {
    uint64_t elements;
    if (c->count == 1 && is_kind(c, at(c, 0), SFT_VALUE_LIST)) {
        return grant_numbers(c, at(c, 0));
    }
    return c->count == 0                                         ? NULL
           : sft_judging_elements(c->j, c->arguments, &elements) ? grant_elements(c, elements, 8)
                                                                 : odd;
}

/* (storage, offset, size, stride, parameters, …) allocates what its size says, two in a byte. */
static const char *check_unsupported(const call *c) {
    uint64_t elements;
    if (strcmp(c->known->name, "_rebuild_qtensor") != 0) {
        return c->count == 2 && is_kind(c, at(c, 1), SFT_VALUE_TUPLE) ? NULL : odd;
    }
    if (c->count != 7 || !sft_judging_is_storage(c->j, at(c, 0))) {
        return odd;
    }
    if (!sft_judging_no_hooks(c->j, at(c, 6))) {
        return hooks;
    }
    return sft_judging_elements(c->j, at(c, 2), &elements) ? grant(c, elements / 2) : computed;
}

static const char *check_arguments(const call *c);

/* (function, type, arguments, state): the function is called, so that its arguments count too. */
static const char *check_from_type(const call *c) {
    if (c->count != 4 || !is_kind(c, at(c, 0), SFT_VALUE_GLOBAL) ||
        !is_kind(c, at(c, 2), SFT_VALUE_TUPLE)) {
        return odd;
    }
    sft_known function = sft_judging_known(c->j, at(c, 0));
    if (!builds_tensor(function.role) || (function.flags & SFT_POLICY_CALLABLE) == 0) {
        return "the function that it calls is none that builds a tensor";
    }
    sft_role type = role_of(c, at(c, 1));
    if (type != SFT_ROLE_TORCH_TENSOR_CLASS && type != SFT_ROLE_TORCH_PARAMETER_CLASS) {
        return "the class that it makes of the tensor is not PyTorch's own";
    }
    const call inner = {c->j, &function, at(c, 2), sft_graph_value(c->j->graph, at(c, 2))->count};
    const char *fault = check_arguments(&inner);
    return fault != NULL ? fault : sft_judge_attributes(c->j, at(c, 3));
}

/* ---- all of them ---- */

static const char *check_text(const call *c) {
    return c->count == 1 && is_text(c, at(c, 0)) ? NULL : odd;
}

/* ('cuda', 0) */
static const char *check_device(const call *c) {
    bool number = c->count < 2 || is_number(c, at(c, 1));
    return c->count >= 1 && c->count <= 2 && number &&
                   (is_text(c, at(c, 0)) || is_number(c, at(c, 0)))
               ? NULL
               : odd;
}

static const char *check_storage(const call *c) {
    return c->count == 1 && is_number(c, at(c, 0)) ? grant_number(c, at(c, 0), 8)
                                                   : check_container(c);
}

/* (dtype, size, stride, requires_grad) */
static const char *check_meta(const call *c) {
    return c->count == 4 && role_of(c, at(c, 0)) == SFT_ROLE_TORCH_DTYPE ? NULL : odd;
}

static const char *check_loaded(const call *c) {
    return c->count == 1 && sft_judging_is_bytes(c->j, at(c, 0))
               ? NULL
               : "the bytes that it loads are computed while loading";
}

/* How many arguments of a record are looked at. */
#define ARGUMENTS 64

/*
 * A record takes plain values and other records. It might call a function, and go through a range
 * to its end.
 */
static const char *check_record(const call *c) {
    if (c->count > ARGUMENTS) {
        return odd;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        sft_ref ref = at(c, i);
        sft_value_kind kind = sft_graph_kind(c->j->graph, ref);
        if (kind == SFT_VALUE_GLOBAL) {
            return "it gets a function or a class, which it might call";
        }
        if (sft_judging_made_by(c->j, ref) == SFT_ROLE_SCALAR) {
            return computed;
        }
        bool counts = kind >= SFT_VALUE_STR && kind <= SFT_VALUE_FROZENSET;
        const char *fault = counts ? grant_iterable(c, ref) : NULL;
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

static const char *check_arguments(const call *c) {
    switch (c->known->role) {
    case SFT_ROLE_NONE:
        return c->known->answer.class == SFT_POLICY_ALLOWED ? check_text(c) : check_record(c);
    case SFT_ROLE_TORCH_TENSOR:
    case SFT_ROLE_TORCH_TENSOR_V2:
    case SFT_ROLE_TORCH_TENSOR_V3:
        return check_tensor(c);
    case SFT_ROLE_TORCH_PARAMETER:
    case SFT_ROLE_TORCH_PARAMETER_STATE:
        return check_parameter(c);
    case SFT_ROLE_TORCH_FROM_TYPE_V2:
        return check_from_type(c);
    case SFT_ROLE_TORCH_FROM_NUMPY:
    case SFT_ROLE_TORCH_FROM_CPU:
        return check_device_tensor(c);
    case SFT_ROLE_TORCH_META:
        return check_meta(c);
    case SFT_ROLE_TORCH_UNSUPPORTED:
        return check_unsupported(c);
    case SFT_ROLE_TORCH_PARAMETER_CLASS:
        return check_class_of_parameter(c);
    case SFT_ROLE_TORCH_TENSOR_CLASS:
        return check_class_of_tensors(c);
    case SFT_ROLE_TORCH_STORAGE_CLASS:
    case SFT_ROLE_TORCH_UNTYPED_STORAGE:
    case SFT_ROLE_TORCH_TYPED_STORAGE:
        return check_storage(c);
    case SFT_ROLE_TORCH_LOAD_FROM_BYTES:
        return check_loaded(c);
    case SFT_ROLE_TORCH_SIZE:
    case SFT_ROLE_ORDERED_DICT:
    case SFT_ROLE_COUNTER:
    case SFT_ROLE_DICT:
    case SFT_ROLE_LIST:
    case SFT_ROLE_SET:
        return check_container(c);
    case SFT_ROLE_TORCH_DEVICE:
        return check_device(c);
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
        return check_reconstruct(c);
    case SFT_ROLE_NUMPY_SCALAR:
        return check_numpy_scalar(c);
    case SFT_ROLE_NUMPY_DTYPE:
        return check_dtype(c);
    case SFT_ROLE_NUMPY_DTYPE_CLASS:
        return check_dtype_class(c);
    case SFT_ROLE_NUMPY_FROM_BUFFER:
        return check_from_buffer(c);
    case SFT_ROLE_OBJECT:
    case SFT_ROLE_TORCH_DTYPE:
    case SFT_ROLE_NUMPY_ARRAY:
    case SFT_ROLE_JOBLIB_ARRAY:
        break;
    }
    return c->count == 0 ? NULL : odd;
}

/* Keywords come with NEWOBJ_EX, which nothing that is allowed is written by. */
static bool has_keywords(const sft_judging *j, const sft_object *object) {
    return object->keywords != SFT_NO_REF && !is_empty(j->graph, object->keywords);
}

const char *sft_judge_call(sft_judging *j, const sft_known *known, sft_ref object) {
    call c = {j, known, SFT_NO_REF, 0};
    const sft_object *made = sft_graph_object(j->graph, object);
    if (!sft_judging_arguments(j, object, &c.arguments, &c.count)) {
        return computed;
    }
    if (known->answer.entry == NULL) {
        return NULL;
    }
    if (has_keywords(j, made)) {
        return odd;
    }
    if ((known->flags & SFT_POLICY_CALLABLE) != 0) {
        return check_arguments(&c);
    }
    if (made->call == SFT_CALL_REDUCE) {
        return "only an empty instance of it is known to be harmless, and this runs its __init__";
    }
    return c.count == 0 ? NULL : odd;
}
