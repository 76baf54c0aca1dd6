#include "checkpoint/plan.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/names.h"
#include "format/encode.h"

#include "checkpoint/ties.h"

/* Keys under which programs put a state dict into a checkpoint. */
static const char *const wrappers[] = {"state_dict", "model",      "module", "model_state_dict",
                                       "params",     "params_ema", "net",    "generator"};

typedef struct maker {
    sft_plan *plan;
    const sft_plan_options *options;
    const sft_found *const *founds;
    uint64_t found_count;
    sft_error *error;
} maker;

/* ---- wrappers ---- */

static bool same_first_key(const sft_found_tensor *a, const sft_found_tensor *b) {
    return a->first_key == b->first_key && a->first_key < a->name_length &&
           b->first_key < b->name_length && memcmp(a->name, b->name, a->first_key) == 0;
}

static const char *known_wrapper(const sft_found_tensor *tensor) {
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
        if (strlen(wrappers[i]) == tensor->first_key &&
            memcmp(wrappers[i], tensor->name, tensor->first_key) == 0) {
            return wrappers[i];
        }
    }
    return NULL;
}

/* The wrapper that holds all tensors, or NULL. */
static const char *find_wrapper(const maker *m) {
    const sft_found_tensor *first = NULL;
    for (uint64_t i = 0; i < m->found_count; i++) {
        const sft_found *found = m->founds[i];
        for (uint64_t t = 0; t < found->tensor_count; t++) {
            const sft_found_tensor *tensor = &found->tensors[t];
            first = first == NULL ? tensor : first;
            if (!same_first_key(first, tensor)) {
                return NULL;
            }
        }
    }
    return first != NULL ? known_wrapper(first) : NULL;
}

/* ---- names ---- */

static bool begins_with(const char *text, size_t length, const char *beginning) {
    size_t size = strlen(beginning);
    return length >= size && memcmp(text, beginning, size) == 0;
}

static sft_named after(const char *text, size_t length, size_t skipped) {
    return (sft_named){text + skipped, length - skipped};
}

/* What a tensor that the key itself names is called: its own, last key. */
static sft_named last_part(const char *name, size_t length) {
    size_t at = length;
    while (at > 0 && name[at - 1] != '.') {
        at--;
    }
    return after(name, length, at);
}

/* The name without key or wrapper; false where the tensor lies outside the key. */
static bool inside(const maker *m, const char *name, size_t length, size_t first_key,
                   sft_named *rest) {
    const char *key = m->options->key;
    *rest = (sft_named){name, length};
    if (key == NULL) {
        if (m->plan->wrapper != NULL) {
            *rest = after(name, length, first_key + 1);
        }
        return true;
    }
    size_t size = strlen(key);
    if (!begins_with(name, length, key)) {
        return false;
    }
    if (length == size) {
        *rest = last_part(name, length);
        return true;
    }
    *rest = after(name, length, size + 1);
    return name[size] == '.';
}

/* "module" does what "module." does. */
static sft_named without_prefix(const maker *m, sft_named name) {
    const char *prefix = m->options->drop_prefix;
    if (prefix == NULL || !begins_with(name.name, name.length, prefix) ||
        strlen(prefix) == name.length) {
        return name;
    }
    name = after(name.name, name.length, strlen(prefix));
    return name.length > 1 && name.name[0] == '.' ? after(name.name, name.length, 1) : name;
}

static sft_status check_name(const sft_plan_tensor *planned, sft_error *error) {
    sft_encode_tensor tensor = {.name = planned->name,
                                .name_length = planned->name_length,
                                .dtype = planned->tensor->dtype,
                                .shape = planned->tensor->shape,
                                .rank = planned->tensor->rank};
    return sft_encode_check_tensor(&tensor, error);
}

/* ---- which tensors ---- */

static sft_status blame(const maker *m, const sft_plan_tensor *planned, sft_status status) {
    m->plan->blamed = planned->source;
    sft_error_tensor(m->error, planned->source_name, planned->source_name_length);
    return status;
}

static sft_status refuse(const maker *m, const sft_plan_tensor *planned) {
    const sft_found_tensor *tensor = planned->tensor;
    return blame(m, planned,
                 sft_fail(m->error, tensor->refused, SFT_NO_BYTE, "%s",
                          tensor->why != NULL ? tensor->why : sft_status_text(tensor->refused)));
}

static sft_status add_tensor(const maker *m, uint64_t source, const sft_found_tensor *tensor,
                             sft_named name) {
    sft_plan *plan = m->plan;
    sft_plan_tensor planned = {.name = name.name,
                               .name_length = name.length,
                               .source_name = tensor->name,
                               .source_name_length = tensor->name_length,
                               .tensor = tensor,
                               .found = m->founds[source],
                               .source = source};
    if (tensor->refused != SFT_OK) {
        return refuse(m, &planned);
    }
    if (!tensor->dense && sft_dtype_bits(tensor->dtype) % 8 != 0) {
        return blame(m, &planned,
                     sft_fail(m->error, SFT_UNSUPPORTED_TENSOR, SFT_NO_BYTE,
                              "a view of elements of less than a byte that is not contiguous"));
    }
    if (planned.found->root_is_tensor && name.length == 0) {
        planned.name = m->options->lone_name;
        planned.name_length = strlen(planned.name);
    }
    sft_status status = check_name(&planned, m->error);
    if (status != SFT_OK) {
        return blame(m, &planned, status);
    }
    status = sft_dtype_size(tensor->dtype, tensor->shape, tensor->rank, &planned.size);
    if (status != SFT_OK || !sft_add(plan->bytes, planned.size, &plan->bytes)) {
        return blame(m, &planned,
                     sft_fail(m->error, SFT_SIZE_OVERFLOW, SFT_NO_BYTE,
                              "the sizes of all tensors together do not fit in 64 bits"));
    }
    void *items = plan->tensors;
    bool grown = sft_grow(&plan->allocator, &items, &plan->capacity, plan->count, sizeof planned);
    plan->tensors = items;
    if (!grown || plan->count >= SFT_NAMES_MAX) {
        return sft_fail_memory(m->error);
    }
    plan->tensors[plan->count++] = planned;
    return SFT_OK;
}

/* ---- what is left out ---- */

static bool drop(sft_plan *plan, const char *name, size_t length, const char *kind) {
    plan->dropped_total++;
    if (plan->dropped_count == SFT_PLAN_NAMED) {
        return true;
    }
    if (plan->dropped == NULL) {
        plan->dropped = sft_arena_take(&plan->arena, SFT_PLAN_NAMED * sizeof *plan->dropped);
        if (plan->dropped == NULL) {
            return false;
        }
    }
    plan->dropped[plan->dropped_count++] = (sft_dropped){name, length, kind};
    return true;
}

static sft_status drop_leaves(const maker *m, const sft_found *found) {
    for (uint64_t i = 0; i < found->leaf_count; i++) {
        const sft_found_leaf *leaf = &found->leaves[i];
        if (!drop(m->plan, leaf->name, leaf->name_length, leaf->kind)) {
            return sft_fail_memory(m->error);
        }
    }
    m->plan->dropped_total += found->leaf_total - found->leaf_count;
    return SFT_OK;
}

static sft_status select_tensors(const maker *m, uint64_t source) {
    const sft_found *found = m->founds[source];
    for (uint64_t i = 0; i < found->tensor_count; i++) {
        const sft_found_tensor *tensor = &found->tensors[i];
        sft_named rest;
        sft_status status = SFT_OK;
        if (inside(m, tensor->name, tensor->name_length, tensor->first_key, &rest)) {
            status = add_tensor(m, source, tensor, without_prefix(m, rest));
        } else if (!drop(m->plan, tensor->name, tensor->name_length, "tensor")) {
            status = sft_fail_memory(m->error);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    return drop_leaves(m, found);
}

static sft_status check_names(const maker *m) {
    sft_plan *plan = m->plan;
    sft_names names;
    sft_names_init(&names, &plan->allocator, m->options->seed);
    sft_status status = sft_names_reserve(&names, plan->count) ? SFT_OK : sft_fail_memory(m->error);
    for (uint64_t i = 0; i < plan->count && status == SFT_OK; i++) {
        const sft_plan_tensor *planned = &plan->tensors[i];
        switch (sft_names_add(&names, plan->tensors, sizeof *planned, i)) {
        case SFT_NAMES_ADDED:
            break;
        case SFT_NAMES_DUPLICATE:
            status = sft_fail(m->error, SFT_DUPLICATE_NAME, SFT_NO_BYTE,
                              "two tensors would both be called \"%s\"",
                              sft_show(planned->name, planned->name_length).text);
            blame(m, planned, status);
            break;
        default:
            status = sft_fail_memory(m->error);
        }
    }
    sft_names_free(&names);
    return status;
}

/* ---- how much there will be ---- */

/* Views may overlap, so that all of them take this many times what their storages do, and a bit. */
#define OVERLAP UINT64_C(16)
#define OVERLAP_FREE (UINT64_C(64) << 20)

static uint64_t sum(uint64_t a, uint64_t b) {
    uint64_t both;
    return sft_add(a, b, &both) ? both : UINT64_MAX;
}

/* Bytes of a source's storages. What stands in a file as it is counts once, whoever claims it. */
static uint64_t bytes_stored(const sft_found *found) {
    uint64_t plain = 0;
    uint64_t packed = 0;
    for (uint64_t i = 0; i < found->storage_count; i++) {
        const sft_region *region = &found->storages[i].region;
        if (region->fd >= 0) {
            plain = sum(plain, region->size);
        } else {
            packed = sum(packed, region->size);
        }
    }
    return sum(sft_min(plain, found->file_size), packed);
}

/* A small file must not fill a disk. */
static sft_status check_size(const maker *m) {
    uint64_t stored = 0;
    uint64_t most;
    for (uint64_t i = 0; i < m->found_count; i++) {
        stored = sum(stored, bytes_stored(m->founds[i]));
    }
    if (!sft_multiply(stored, OVERLAP, &most)) {
        most = UINT64_MAX;
    }
    most = sum(most, OVERLAP_FREE);
    if (m->plan->bytes <= most) {
        return SFT_OK;
    }
    sft_fail(m->error, SFT_SOURCE_LIMIT, SFT_NO_BYTE,
             "its tensors overlap so much that %" PRIu64 " byte%s of storages would become %" PRIu64
             ": the limit is %" PRIu64,
             stored, sft_plural(stored), m->plan->bytes, most);
    return SFT_SOURCE_LIMIT;
}

/* ---- metadata ---- */

static bool is_torch(const maker *m) {
    for (uint64_t i = 0; i < m->found_count; i++) {
        if (m->founds[i]->torch) {
            return true;
        }
    }
    return false;
}

/* As the Python packages write it: format first, which no tie may change, then what was dropped. */
static sft_status make_metadata(const maker *m) {
    static const char key[] = "format";
    sft_plan *plan = m->plan;
    bool torch = is_torch(m);
    plan->metadata = sft_arena_take(&plan->arena, (plan->tie_count + 1) * sizeof *plan->metadata);
    if (plan->metadata == NULL) {
        return sft_fail_memory(m->error);
    }
    if (torch) {
        plan->metadata[plan->metadata_count++] = (sft_metadata_entry){key, sizeof key - 1, "pt", 2};
    }
    for (uint64_t i = 0; i < plan->tie_count; i++) {
        const sft_tie *tie = &plan->ties[i];
        bool taken = torch && tie->dropped_length == sizeof key - 1 &&
                     memcmp(tie->dropped, key, sizeof key - 1) == 0;
        if (!taken) {
            plan->metadata[plan->metadata_count++] = (sft_metadata_entry){
                tie->dropped, tie->dropped_length, tie->kept, tie->kept_length};
        }
    }
    return SFT_OK;
}

/* ---- the whole ---- */

static sft_status make(const maker *m) {
    sft_plan *plan = m->plan;
    if (m->options->key == NULL) {
        plan->wrapper = find_wrapper(m);
    }
    for (uint64_t i = 0; i < m->found_count; i++) {
        sft_status status = select_tensors(m, i);
        if (status != SFT_OK) {
            return status;
        }
    }
    if (m->options->key != NULL && plan->count == 0) {
        return sft_fail(m->error, SFT_NOT_FOUND, SFT_NO_BYTE,
                        "the checkpoint has no tensor under the key \"%s\"",
                        sft_show(m->options->key, strlen(m->options->key)).text);
    }
    sft_status status = check_names(m);
    if (status == SFT_OK) {
        status = sft_plan_tie(plan, m->error);
    }
    status = status == SFT_OK ? check_size(m) : status;
    return status == SFT_OK ? make_metadata(m) : status;
}

sft_status sft_plan_make(sft_plan *plan, const sft_found *const *founds, uint64_t count,
                         const sft_plan_options *options, sft_error *error) {
    *plan = (sft_plan){.allocator = options->allocator};
    sft_arena_init(&plan->arena, &options->allocator);
    maker m = {plan, options, founds, count, error};
    return make(&m);
}

void sft_plan_free(sft_plan *plan) {
    sft_release(&plan->allocator, plan->tensors, plan->capacity * sizeof *plan->tensors);
    sft_arena_free(&plan->arena);
    *plan = (sft_plan){.allocator = plan->allocator};
}
