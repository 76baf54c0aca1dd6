/* What PyTorch's calls rebuild: a view of a storage, by the arguments of torch/_utils.py. */
#include <string.h>

#include "base/error.h"
#include "checkpoint/finder.h"

/* Parameters in parameters, tensors of subclasses in each other: more than this is no tensor. */
#define MOST_LAYERS 16

/* A call as it is made: by REDUCE, or by another call that is handed a function and arguments. */
typedef struct call {
    sft_role role;
    const sft_policy_entry *entry;
    sft_ref arguments; /* a TUPLE, or SFT_NO_REF */
} call;

static sft_ref argument(const sft_graph *graph, const call *c, uint32_t index) {
    return c->arguments != SFT_NO_REF ? sft_graph_at(graph, c->arguments, index) : SFT_NO_REF;
}

static uint32_t argument_count(const sft_graph *graph, const call *c) {
    return c->arguments != SFT_NO_REF ? sft_graph_value(graph, c->arguments)->count : 0;
}

static sft_ref as_tuple(const sft_graph *graph, sft_ref ref) {
    return ref != SFT_NO_REF && sft_graph_kind(graph, ref) == SFT_VALUE_TUPLE ? ref : SFT_NO_REF;
}

static bool is_call(const sft_graph *graph, sft_ref ref, call *c) {
    c->entry = NULL;
    c->role = sft_value_role(graph, ref, &c->entry);
    if (c->role == SFT_ROLE_NONE) {
        return false;
    }
    c->arguments = as_tuple(graph, sft_graph_object(graph, ref)->arguments);
    /* Before there were rebuilding calls: Tensor(), then set_(*state) by __setstate__. */
    if (c->role == SFT_ROLE_TORCH_TENSOR_CLASS) {
        sft_ref state = sft_value_state(graph, ref);
        c->arguments = state != SFT_NO_REF ? as_tuple(graph, state) : SFT_NO_REF;
    }
    return true;
}

static bool is_rebuild(sft_role role) {
    switch (role) {
    case SFT_ROLE_TORCH_TENSOR:
    case SFT_ROLE_TORCH_TENSOR_V2:
    case SFT_ROLE_TORCH_TENSOR_V3:
    case SFT_ROLE_TORCH_PARAMETER:
    case SFT_ROLE_TORCH_PARAMETER_STATE:
    case SFT_ROLE_TORCH_PARAMETER_CLASS:
    case SFT_ROLE_TORCH_FROM_TYPE_V2:
    case SFT_ROLE_TORCH_FROM_NUMPY:
    case SFT_ROLE_TORCH_FROM_CPU:
    case SFT_ROLE_TORCH_META:
    case SFT_ROLE_TORCH_UNSUPPORTED:
    case SFT_ROLE_TORCH_TENSOR_CLASS:
        return true;
    default:
        return false;
    }
}

/* ---- one tensor ---- */

/* The type that a GLOBAL such as torch.float16 is; NULL for all else. */
static const sft_policy_entry *dtype_of(const sft_graph *graph, sft_ref ref) {
    const sft_policy_entry *entry = NULL;
    return ref != SFT_NO_REF && sft_policy_role(graph, ref, &entry) == SFT_ROLE_TORCH_DTYPE ? entry
                                                                                            : NULL;
}

static sft_status refuse_type(sft_scope *scope, sft_found_tensor *tensor, const char *name) {
    return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                      "its elements are of type %s, which cannot be converted", name);
}

/* The type of the elements: an argument in version 3, else that of the storage. */
static sft_status find_dtype(sft_scope *scope, const call *c, const sft_store *store,
                             sft_view *view, sft_found_tensor *tensor) {
    const sft_graph *graph = &scope->pickle.graph;
    uint8_t dtype = store->dtype;
    const char *name = store->item_size == 16 ? "complex128" : "a quantised kind";
    if (c->role == SFT_ROLE_TORCH_TENSOR_V3) {
        const sft_policy_entry *entry = dtype_of(graph, argument(graph, c, 6));
        if (entry == NULL) {
            return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                              "the type of its elements is not one of torch's");
        }
        dtype = entry->dtype;
        name = entry->name;
    }
    if (dtype == SFT_NO_DTYPE || sft_dtype_bits((sft_dtype)dtype) < 8) {
        return refuse_type(scope, tensor, name);
    }
    view->dtype = (sft_dtype)dtype;
    return SFT_OK;
}

static sft_status find_numbers(sft_scope *scope, sft_ref offset, sft_ref sizes, sft_ref strides,
                               sft_view *view, sft_found_tensor *tensor) {
    const sft_graph *graph = &scope->pickle.graph;
    uint32_t stride_count = 0;
    sft_shape_result size = sft_value_shape(graph, sizes, view->shape, &view->rank);
    sft_shape_result stride = sft_value_shape(graph, strides, view->strides, &stride_count);
    if (size == SFT_SHAPE_LARGE || stride == SFT_SHAPE_LARGE) {
        return sft_refuse(scope->finder, tensor, SFT_SOURCE_LIMIT, "it has more than %d dimensions",
                          SFT_RANK_MAX);
    }
    if (size == SFT_SHAPE_NEGATIVE || stride == SFT_SHAPE_NEGATIVE) {
        return sft_refuse(scope->finder, tensor, SFT_TENSOR_BOUNDS, "a %s of it is negative",
                          size == SFT_SHAPE_NEGATIVE ? "size" : "stride");
    }
    if (size != SFT_SHAPE_READ || stride != SFT_SHAPE_READ || stride_count != view->rank ||
        offset == SFT_NO_REF || !sft_graph_size(graph, offset, &view->offset)) {
        return sft_refuse(scope->finder, tensor, SFT_TENSOR_BOUNDS,
                          "its offset, sizes and strides are not those of a tensor");
    }
    return SFT_OK;
}

/*
 * The flags of lazy views, {'conj': True, 'neg': True}, behind the other arguments. PyTorch looks
 * for the keys alone (setTensorMetadata() in torch/csrc/jit/serialization/pickler.h).
 */
static void find_flags(const sft_graph *graph, const call *c, sft_found_tensor *tensor) {
    sft_ref flags = c->role == SFT_ROLE_TORCH_TENSOR_V2   ? argument(graph, c, 6)
                    : c->role == SFT_ROLE_TORCH_TENSOR_V3 ? argument(graph, c, 7)
                                                          : SFT_NO_REF;
    if (flags == SFT_NO_REF || sft_graph_kind(graph, flags) != SFT_VALUE_DICT ||
        sft_graph_value(graph, flags)->count > 32) {
        return;
    }
    tensor->conjugate =
        tensor->dtype == SFT_C64 && sft_value_lookup(graph, flags, "conj") != SFT_NO_REF;
    tensor->negative = sft_value_lookup(graph, flags, "neg") != SFT_NO_REF;
}

/* (storage, offset, sizes, strides, …) */
static sft_status rebuild(sft_scope *scope, const call *c, sft_found_tensor *tensor) {
    const sft_graph *graph = &scope->pickle.graph;
    const sft_store *store;
    if (argument_count(graph, c) < 4) {
        return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                          "it is rebuilt with too few arguments");
    }
    sft_status status = sft_scope_store(scope, argument(graph, c, 0), &store);
    if (status != SFT_OK) {
        return status;
    }
    if (store == NULL) {
        return sft_refuse(scope->finder, tensor, SFT_MISSING_STORAGE,
                          "what stands for its storage is none");
    }
    if (store->refused != SFT_OK) {
        return sft_refuse(scope->finder, tensor, store->refused, "%s", store->why);
    }
    sft_view view = {.storage = store->storage, .skipped = store->offset, .size = store->size};
    status = find_dtype(scope, c, store, &view, tensor);
    if (status == SFT_OK && tensor->refused == SFT_OK) {
        status = find_numbers(scope, argument(graph, c, 1), argument(graph, c, 2),
                              argument(graph, c, 3), &view, tensor);
    }
    if (status == SFT_OK && tensor->refused == SFT_OK) {
        status = sft_view_check(scope->finder, &view, tensor);
    }
    if (status == SFT_OK && tensor->refused == SFT_OK) {
        find_flags(graph, c, tensor);
    }
    return status;
}

static sft_status refuse_kind(sft_scope *scope, const call *c, sft_found_tensor *tensor) {
    const char *name = c->entry->name;
    const char *what = strstr(name, "sparse") != NULL    ? "it is sparse"
                       : strstr(name, "qtensor") != NULL ? "it is quantised"
                       : strstr(name, "nested") != NULL  ? "it is a nested tensor"
                                                         : "it is of a kind of its own";
    return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                      "%s (%s), and cannot be converted", what, name);
}

/* ---- layers around it ---- */

/* func(*args) of _rebuild_from_type_v2(func, type, args, state): the call that it stands for. */
static bool step_into_type(const sft_graph *graph, call *c) {
    sft_ref function = argument(graph, c, 0);
    sft_ref arguments = as_tuple(graph, argument(graph, c, 2));
    if (function == SFT_NO_REF) {
        return false;
    }
    c->role = sft_policy_role(graph, function, &c->entry);
    c->arguments = arguments;
    return is_rebuild(c->role);
}

/* The same values in another type would be other bytes. */
static sft_status check_same_type(sft_scope *scope, sft_ref wanted, sft_found_tensor *tensor) {
    const sft_policy_entry *entry = dtype_of(&scope->pickle.graph, wanted);
    if (tensor->refused != SFT_OK || (entry != NULL && entry->dtype == (uint8_t)tensor->dtype)) {
        return SFT_OK;
    }
    return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                      "its elements were saved as another type than they had, and would have to be "
                      "converted");
}

static sft_status finish(sft_scope *scope, const call *c, sft_found_tensor *tensor) {
    switch (c->role) {
    case SFT_ROLE_TORCH_META:
        return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                          "it was saved from the meta device, where tensors have no values");
    case SFT_ROLE_TORCH_UNSUPPORTED:
        return refuse_kind(scope, c, tensor);
    default:
        return rebuild(scope, c, tensor);
    }
}

/* One layer less: true with the call inside, or the value in *inner where that is no call. */
static bool step(const sft_graph *graph, call *c, sft_ref *inner) {
    *inner = argument(graph, c, 0);
    if (c->role == SFT_ROLE_TORCH_FROM_TYPE_V2) {
        return step_into_type(graph, c);
    }
    return *inner != SFT_NO_REF && is_call(graph, *inner, c) && is_rebuild(c->role);
}

static bool is_layer(sft_role role) {
    return role == SFT_ROLE_TORCH_PARAMETER || role == SFT_ROLE_TORCH_PARAMETER_STATE ||
           role == SFT_ROLE_TORCH_PARAMETER_CLASS || role == SFT_ROLE_TORCH_FROM_TYPE_V2 ||
           role == SFT_ROLE_TORCH_FROM_CPU || role == SFT_ROLE_TORCH_FROM_NUMPY;
}

/* Arguments that are looked at. */
#define MOST_ARGUMENTS 8U

/* More attributes no tensor has. */
#define MOST_ATTRIBUTES 512U

/* Attributes of a tensor that are its values. */
static bool sets_values(const sft_graph *graph, const call *c) {
    static const char *const names[] = {"data", "real", "imag"};
    bool has_state =
        c->role == SFT_ROLE_TORCH_FROM_TYPE_V2 || c->role == SFT_ROLE_TORCH_PARAMETER_STATE;
    sft_ref state = has_state ? argument(graph, c, 3) : SFT_NO_REF;
    if (state != SFT_NO_REF && sft_graph_kind(graph, state) == SFT_VALUE_TUPLE) {
        state = sft_graph_at(graph, state, 0);
    }
    if (state == SFT_NO_REF || sft_graph_kind(graph, state) != SFT_VALUE_DICT) {
        return false;
    }
    bool sets = sft_graph_value(graph, state)->count > MOST_ATTRIBUTES;
    for (size_t i = 0; i < sizeof names / sizeof *names && !sets; i++) {
        sets = sft_value_lookup(graph, state, names[i]) != SFT_NO_REF;
    }
    return sets;
}

/* NULL, or why a call gives another tensor than its arguments say in the end. */
static const char *find_change(const sft_graph *graph, const call *c) {
    for (uint32_t i = 0; i < MOST_ARGUMENTS && i < argument_count(graph, c); i++) {
        if (!sft_value_was_whole(graph, argument(graph, c, i), c->arguments)) {
            return "an argument of the call that rebuilds it was changed after the call";
        }
    }
    return sets_values(graph, c) ? "an attribute that is set on it would replace its values" : NULL;
}

/* The innermost value is no call of torch's: an array, or nothing that a tensor is made of. */
static sft_status finish_array(sft_scope *scope, sft_ref inner, sft_found_tensor *tensor) {
    bool is_array = false;
    sft_status status = SFT_OK;
    if (inner != SFT_NO_REF) {
        status = sft_numpy_tensor_of(scope, inner, tensor, &is_array);
    }
    return status != SFT_OK || is_array ? status
                                        : sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                                                     "what it is rebuilt from is no tensor");
}

sft_status sft_torch_tensor_of(sft_scope *scope, sft_ref ref, sft_found_tensor *tensor,
                               bool *is_tensor) {
    const sft_graph *graph = &scope->pickle.graph;
    call c;
    *tensor = (sft_found_tensor){.refused = SFT_OK};
    *is_tensor = is_call(graph, ref, &c) && is_rebuild(c.role);
    if (!*is_tensor) {
        return SFT_OK;
    }
    sft_ref wanted = SFT_NO_REF;
    bool typed = false;
    bool innermost = false;
    sft_ref inner = SFT_NO_REF;
    const char *change = find_change(graph, &c);
    for (unsigned layers = 0; is_layer(c.role) && !innermost && change == NULL; layers++) {
        bool types = c.role == SFT_ROLE_TORCH_FROM_CPU || c.role == SFT_ROLE_TORCH_FROM_NUMPY;
        if (layers == MOST_LAYERS || (types && typed)) {
            return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                              "it is wrapped in more calls than torch wraps a tensor in");
        }
        wanted = types ? argument(graph, &c, 1) : wanted;
        typed = typed || types;
        innermost = !step(graph, &c, &inner);
        change = innermost ? NULL : find_change(graph, &c);
    }
    if (change != NULL) {
        return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR, "%s", change);
    }
    sft_status status = innermost ? finish_array(scope, inner, tensor) : finish(scope, &c, tensor);
    return status == SFT_OK && typed ? check_same_type(scope, wanted, tensor) : status;
}
