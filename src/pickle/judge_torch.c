/* Calls by which tensors, storages and what goes with them are made in PyTorch. */
#include <string.h>

#include "base/checked.h"
#include "pickle/judge_call.h"

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

bool sft_judging_no_hooks(const sft_judging *j, sft_ref ref) {
    if (ref == SFT_NO_REF) {
        return false;
    }
    if (sft_graph_kind(j->graph, ref) == SFT_VALUE_NONE || sft_arg_is_empty(j->graph, ref)) {
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
        count == 0 ||
        (count == 1 && sft_arg_is_empty(j->graph, sft_graph_at(j->graph, arguments, 0)));
    return no_items && object->set_count == 0 && object->state_count == 0;
}

static const char hooks[] = "it brings functions along that training would call";
static const char no_storage[] = "what should be a storage is none";
static const char no_tensor[] = "what should be a tensor is none";

/* {'conj': True, 'neg': True}, or None. */
static bool is_metadata(const sft_call *c, sft_ref ref) {
    if (sft_arg_is(c, ref, SFT_VALUE_NONE)) {
        return true;
    }
    if (!sft_arg_is(c, ref, SFT_VALUE_DICT) || sft_graph_value(c->j->graph, ref)->count > 32) {
        return false;
    }
    bool plain = true;
    for (uint32_t link = sft_graph_value(c->j->graph, ref)->items.first; link != 0;) {
        sft_ref part = sft_graph_item(c->j->graph, &link);
        plain = plain && (sft_arg_is_text(c, part) || sft_arg_is_number(c, part));
    }
    return plain;
}

/* A tuple, a list, or a torch.Size of one. */
static const sft_value *row_of(const sft_judging *j, sft_ref ref) {
    sft_ref arguments;
    uint32_t count;
    if (ref != SFT_NO_REF && sft_judging_made_by(j, ref) == SFT_ROLE_TORCH_SIZE &&
        sft_judging_arguments(j, ref, &arguments, &count) && count == 1) {
        ref = sft_graph_at(j->graph, arguments, 0);
    }
    sft_value_kind kind = ref != SFT_NO_REF ? sft_graph_kind(j->graph, ref) : SFT_VALUE_NONE;
    bool is_row = kind == SFT_VALUE_TUPLE || kind == SFT_VALUE_LIST;
    return is_row ? sft_graph_value(j->graph, ref) : NULL;
}

/* The most dimensions that a tensor has; PyTorch refuses more. */
#define DIMENSIONS 64

/* The elements from a storage's first to behind the last that a tensor has. False for what raises
 * an error. */
static bool read_extent(const sft_graph *graph, const sft_value *sizes, const sft_value *strides,
                        uint64_t *extent) {
    if (sizes->count != strides->count || sizes->count > DIMENSIONS) {
        return false;
    }
    bool empty = false;
    bool fits = true;
    uint32_t link = sizes->items.first;
    uint32_t stride_link = strides->items.first;
    while (link != 0) {
        uint64_t size;
        uint64_t stride;
        uint64_t step;
        if (!sft_graph_size(graph, sft_graph_item(graph, &link), &size) ||
            !sft_graph_size(graph, sft_graph_item(graph, &stride_link), &stride)) {
            return false;
        }
        empty = empty || size == 0;
        fits = fits && (size == 0 ||
                        (sft_multiply(size - 1, stride, &step) && sft_add(*extent, step, extent)));
    }
    return empty || (fits && sft_add(*extent, 1, extent));
}

const char *sft_judge_extent(const sft_judging *j, sft_ref storage, const sft_ref *view) {
    const sft_value *sizes = row_of(j, view[1]);
    const sft_value *strides = row_of(j, view[2]);
    uint64_t extent;
    uint64_t count = 0;
    if (sizes == NULL || strides == NULL) {
        return sft_computed;
    }
    if (!sft_graph_size(j->graph, view[0], &extent) ||
        !read_extent(j->graph, sizes, strides, &extent) || extent <= j->judge->input_size) {
        return NULL;
    }
    if (sft_graph_kind(j->graph, storage) == SFT_VALUE_PERSISTENT) {
        sft_ref id = sft_graph_at(j->graph, storage, 0);
        bool known = sft_graph_kind(j->graph, id) == SFT_VALUE_TUPLE &&
                     sft_graph_value(j->graph, id)->count > 4 &&
                     sft_graph_size(j->graph, sft_graph_at(j->graph, id, 4), &count);
        return known && extent > count ? sft_too_far : NULL;
    }
    /* A nested file may be packed, but not to that much. */
    return extent / 1024 > j->judge->input_size ? sft_too_far : NULL;
}

static const char *check_extent(const sft_call *c) {
    const sft_ref view[] = {sft_arg(c, 1), sft_arg(c, 2), sft_arg(c, 3)};
    return sft_judge_extent(c->j, sft_arg(c, 0), view);
}

/* (storage, offset, size, stride[, requires_grad, hooks[, dtype][, metadata]]) */
static const char *check_tensor(const sft_call *c) {
    bool v3 = c->known->role == SFT_ROLE_TORCH_TENSOR_V3;
    uint32_t needed = c->known->role == SFT_ROLE_TORCH_TENSOR ? 4 : v3 ? 7 : 6;
    if (c->count < needed || c->count > (needed == 4 ? 4 : needed + 1)) {
        return sft_odd;
    }
    if (!sft_judging_is_storage(c->j, sft_arg(c, 0))) {
        return no_storage;
    }
    if (needed > 4 && !sft_judging_no_hooks(c->j, sft_arg(c, 5))) {
        return hooks;
    }
    if (v3 && sft_arg_role(c, sft_arg(c, 6)) != SFT_ROLE_TORCH_DTYPE) {
        return "what should be a dtype is none";
    }
    return c->count == needed || is_metadata(c, sft_arg(c, needed)) ? check_extent(c) : sft_odd;
}

/* (tensor, requires_grad, hooks[, state]) */
static const char *check_parameter(const sft_call *c) {
    bool with_state = c->known->role == SFT_ROLE_TORCH_PARAMETER_STATE;
    if (c->count != (with_state ? 4 : 3)) {
        return sft_odd;
    }
    if (!sft_judging_is_tensor(c->j, sft_arg(c, 0))) {
        return no_tensor;
    }
    if (!sft_judging_no_hooks(c->j, sft_arg(c, 2))) {
        return hooks;
    }
    return with_state ? sft_judge_attributes(c->j, sft_arg(c, 3)) : NULL;
}

static const char *check_class_of_parameter(const sft_call *c) {
    if (c->count == 0) {
        return NULL;
    }
    return !sft_judging_is_tensor(c->j, sft_arg(c, 0)) ? no_tensor : c->count > 2 ? sft_odd : NULL;
}

/* A tensor is copied to its device: what was one element again and again becomes as many. */
static const char *grant_copy(const sft_call *c, sft_ref tensor) {
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
    return sft_judging_elements(c->j, sizes, &elements) ? sft_arg_grant(c, elements) : sft_computed;
}

/* The same of an array. */
static const char *grant_array(const sft_call *c, sft_ref array) {
    const sft_graph *graph = c->j->graph;
    const sft_object *made = sft_graph_object(graph, array);
    sft_ref bytes = SFT_NO_REF;
    if (sft_judging_made_by(c->j, array) == SFT_ROLE_NUMPY_FROM_BUFFER) {
        bytes = sft_graph_at(graph, made->arguments, 0);
    } else if (made->state_count == 1) {
        uint32_t link = made->states.first;
        sft_ref state = sft_graph_item(graph, &link);
        bool plain = sft_arg_is(c, state, SFT_VALUE_TUPLE);
        uint32_t count = plain ? sft_graph_value(graph, state)->count : 0;
        bytes = count > 0 ? sft_graph_at(graph, state, count - 1) : SFT_NO_REF;
    }
    return bytes == SFT_NO_REF || !sft_judging_is_bytes(c->j, bytes) ||
                   sft_judging_grant_bytes(c->j, bytes)
               ? NULL
               : sft_too_much;
}

/* (array, dtype, device, requires_grad), or with a tensor for the array. */
static const char *check_device_tensor(const sft_call *c) {
    if (c->count != 4 || sft_arg_role(c, sft_arg(c, 1)) != SFT_ROLE_TORCH_DTYPE) {
        return sft_odd;
    }
    if (c->known->role == SFT_ROLE_TORCH_FROM_CPU) {
        return grant_copy(c, sft_arg(c, 0));
    }
    sft_role made_by = sft_judging_made_by(c->j, sft_arg(c, 0));
    if (made_by != SFT_ROLE_NUMPY_RECONSTRUCT && made_by != SFT_ROLE_NUMPY_FROM_BUFFER) {
        return "what should be an array is none";
    }
    return grant_array(c, sft_arg(c, 0));
}

/* PyTorch goes into a list of lists, which may name the same one again and again: numbers only. */
static const char *grant_numbers(const sft_call *c, sft_ref list) {
    const char *fault = sft_arg_grant_iterable(c, list);
    uint32_t link = sft_graph_value(c->j->graph, list)->items.first;
    while (link != 0 && fault == NULL) {
        sft_ref item = sft_graph_item(c->j->graph, &link);
        fault = sft_arg_is_number(c, item) || sft_arg_is(c, item, SFT_VALUE_FLOAT) ? NULL : sft_odd;
    }
    return fault;
}

/* Sizes, or one list of elements, or nothing. */
static const char *check_class_of_tensors(const sft_call *c) {
    uint64_t elements;
    if (c->count == 1 && sft_arg_is(c, sft_arg(c, 0), SFT_VALUE_LIST)) {
        return grant_numbers(c, sft_arg(c, 0));
    }
    return c->count == 0 ? NULL
           : sft_judging_elements(c->j, c->arguments, &elements)
               ? sft_arg_grant_elements(c, elements, 8)
               : sft_odd;
}

/* A tensor of one number for each channel. */
static bool is_a_channel_each(const sft_call *c, sft_ref numbers, uint64_t channels) {
    sft_ref arguments;
    uint32_t count;
    uint64_t elements;
    return sft_judging_is_tensor(c->j, numbers) &&
           sft_judging_arguments(c->j, numbers, &arguments, &count) && count > 2 &&
           sft_judging_elements(c->j, sft_graph_at(c->j->graph, arguments, 2), &elements) &&
           elements == channels;
}

/*
 * (scheme, scale, zero_point), or (scheme, scales, zero_points, axis). Not every PyTorch looks
 * whether there are as many scales as channels before it reads them.
 */
static bool is_quantizer(const sft_call *c, sft_ref parameters, sft_ref size) {
    const sft_graph *graph = c->j->graph;
    if (!sft_arg_is(c, parameters, SFT_VALUE_TUPLE) || !sft_arg_is(c, size, SFT_VALUE_TUPLE)) {
        return false;
    }
    uint32_t count = sft_graph_value(graph, parameters)->count;
    sft_ref scheme = sft_graph_at(graph, parameters, 0);
    if (count < 3 || count > 4 || !sft_arg_is(c, scheme, SFT_VALUE_GLOBAL)) {
        return false;
    }
    const char *name = sft_judging_known(c->j, scheme).name;
    if (count == 3) {
        return strncmp(name, "per_tensor", strlen("per_tensor")) == 0;
    }
    uint64_t axis;
    uint64_t channels;
    return strncmp(name, "per_channel", strlen("per_channel")) == 0 &&
           sft_graph_size(graph, sft_graph_at(graph, parameters, 3), &axis) &&
           axis < sft_graph_value(graph, size)->count &&
           sft_graph_size(graph, sft_graph_at(graph, size, (uint32_t)axis), &channels) &&
           is_a_channel_each(c, sft_graph_at(graph, parameters, 1), channels) &&
           is_a_channel_each(c, sft_graph_at(graph, parameters, 2), channels);
}

/* (storage, offset, size, stride, parameters, requires_grad, hooks) */
static const char *check_quantized(const sft_call *c) {
    uint64_t elements;
    if (c->count != 7 || !sft_judging_is_storage(c->j, sft_arg(c, 0))) {
        return sft_odd;
    }
    if (!sft_judging_no_hooks(c->j, sft_arg(c, 6))) {
        return hooks;
    }
    if (!is_quantizer(c, sft_arg(c, 4), sft_arg(c, 2))) {
        return "its scales and zero points do not go with its size";
    }
    /* It allocates what its size says; the smallest elements come two in a byte. */
    return sft_judging_elements(c->j, sft_arg(c, 2), &elements) ? sft_arg_grant(c, elements / 2)
                                                                : sft_computed;
}

/* (layout, parts) */
static const char *check_sparse(const sft_call *c) {
    return c->count == 2 && sft_arg_is(c, sft_arg(c, 1), SFT_VALUE_TUPLE) ? NULL : sft_odd;
}

static const char *check_unsupported(const sft_call *c) {
    return strcmp(c->known->name, "_rebuild_qtensor") == 0 ? check_quantized(c) : check_sparse(c);
}

/* (function, type, arguments, state): the function is called, so that its arguments count too. */
static const char *check_from_type(const sft_call *c) {
    if (c->count != 4 || !sft_arg_is(c, sft_arg(c, 0), SFT_VALUE_GLOBAL) ||
        !sft_arg_is(c, sft_arg(c, 2), SFT_VALUE_TUPLE)) {
        return sft_odd;
    }
    sft_known function = sft_judging_known(c->j, sft_arg(c, 0));
    if (!builds_tensor(function.role) || (function.flags & SFT_POLICY_CALLABLE) == 0) {
        return "the function that it calls is none that builds a tensor";
    }
    sft_role type = sft_arg_role(c, sft_arg(c, 1));
    if (type != SFT_ROLE_TORCH_TENSOR_CLASS && type != SFT_ROLE_TORCH_PARAMETER_CLASS) {
        return "the class that it makes of the tensor is not PyTorch's own";
    }
    const sft_call inner = {c->j, &function, sft_arg(c, 2),
                            sft_graph_value(c->j->graph, sft_arg(c, 2))->count};
    const char *fault = sft_check_arguments(&inner);
    return fault != NULL ? fault : sft_judge_attributes(c->j, sft_arg(c, 3));
}

/* ---- what goes with tensors ---- */

/* ('cuda', 0) */
static const char *check_device(const sft_call *c) {
    bool number = c->count < 2 || sft_arg_is_number(c, sft_arg(c, 1));
    return c->count >= 1 && c->count <= 2 && number &&
                   (sft_arg_is_text(c, sft_arg(c, 0)) || sft_arg_is_number(c, sft_arg(c, 0)))
               ? NULL
               : sft_odd;
}

static const char *check_storage(const sft_call *c) {
    sft_ref first = sft_arg(c, 0);
    if (c->count == 1 && sft_arg_is_number(c, first)) {
        return sft_arg_grant_number(c, first, 8);
    }
    return c->count == 1 &&
                   (sft_arg_is(c, first, SFT_VALUE_LIST) || sft_arg_is(c, first, SFT_VALUE_TUPLE))
               ? grant_numbers(c, first)
           : c->count == 0 ? NULL
                           : sft_odd;
}

/* (dtype, size, stride, requires_grad) */
static const char *check_meta(const sft_call *c) {
    return c->count == 4 && sft_arg_role(c, sft_arg(c, 0)) == SFT_ROLE_TORCH_DTYPE ? NULL : sft_odd;
}

static const char *check_loaded(const sft_call *c) {
    return c->count == 1 && sft_judging_is_bytes(c->j, sft_arg(c, 0))
               ? NULL
               : "the bytes that it loads are computed while loading";
}

const char *sft_check_torch(const sft_call *c) {
    switch (c->known->role) {
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
        return sft_check_container(c);
    case SFT_ROLE_TORCH_DEVICE:
        return check_device(c);
    default:
        return c->count == 0 ? NULL : sft_odd;
    }
}
