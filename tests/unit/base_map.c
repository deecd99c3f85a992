/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Map and heap, each against a model that is too simple to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

/* xorshift64: the same numbers on every machine. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

enum { THINGS = 500 };

struct thing {
    char key[16];
    bool is_in, is_seen;
    struct heap_node node;
};

static struct thing *make_things(void)
{
    struct thing *things = mem_array(THINGS, sizeof(*things));
    for (int i = 0; i < THINGS; i++)
        snprintf(things[i].key, sizeof(things[i].key), "a/b/%d", i);
    return things;
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct map m = {0};
    size_t at = 0;
    assert_null(map_get(&m, "a"));
    assert_null(map_remove(&m, "a"));
    assert_null(map_next(&m, &at));
    map_release(&m);
}

static void a_second_put_replaces_value_and_key(void **state)
{
    (void)state;
    struct map m = {0};
    char first[] = "key", second[] = "key", one[] = "one", two[] = "two";
    assert_null(map_put(&m, first, one));
    assert_ptr_equal(map_put(&m, second, two), one);
    memset(first, 'x', 3); /* the first key may go now */
    assert_ptr_equal(map_get(&m, "key"), two);
    assert_int_equal(m.count, 1);
    map_release(&m);
}

static void a_map_agrees_with_the_model(void **state)
{
    (void)state;
    AUTO(mem_freep) struct thing *things = make_things();
    struct map m = {0};
    size_t count = 0;
    uint64_t seed = 42;
    for (int step = 0; step < 200000; step++) {
        struct thing *t = &things[next_random(&seed) % THINGS];
        bool is_putting = next_random(&seed) % 2 == 0;
        void *before = is_putting ? map_put(&m, t->key, t) : map_remove(&m, t->key);
        assert_ptr_equal(before, t->is_in ? t : NULL);
        count += (size_t)is_putting - (size_t)t->is_in;
        t->is_in = is_putting;
        assert_int_equal(m.count, count);
        struct thing *other = &things[next_random(&seed) % THINGS];
        assert_ptr_equal(map_get(&m, other->key), other->is_in ? other : NULL);
    }
    assert_true(m.size <= 4 * THINGS); /* tombstones do not make it grow for ever */
    map_release(&m);
}

static void a_walk_that_removes_sees_everything_once(void **state)
{
    (void)state;
    AUTO(mem_freep) struct thing *things = make_things();
    for (int every = 1; every <= 3; every++) {
        struct map m = {0};
        int seen = 0;
        for (int i = 0; i < THINGS; i++) {
            things[i].is_seen = false;
            map_put(&m, things[i].key, &things[i]);
        }
        struct thing *t;
        for (size_t at = 0; (t = map_next(&m, &at));) {
            assert_false(t->is_seen);
            t->is_seen = true;
            if (seen++ % every == 0)
                assert_ptr_equal(map_remove(&m, t->key), t);
        }
        assert_int_equal(seen, THINGS);
        assert_int_equal(m.count, THINGS - (THINGS + every - 1) / every);
        map_release(&m);
    }
}

static void keys_are_bytes(void **state)
{
    (void)state;
    struct map m = {0};
    char empty[] = "empty", bytes[] = "bytes", upper[] = "upper";
    map_put(&m, "", empty);
    map_put(&m, "\xff\n", bytes);
    map_put(&m, "A", upper);
    assert_ptr_equal(map_get(&m, ""), empty);
    assert_ptr_equal(map_get(&m, "\xff\n"), bytes);
    assert_null(map_get(&m, "a"));
    map_release(&m);
}

static void the_smallest_comes_first(void **state)
{
    (void)state;
    static const int64_t keys[] = {5, INT64_MIN, 3, 3, INT64_MAX, 0, -1};
    struct heap_node nodes[ARRAY_LEN(keys)] = {0};
    struct heap h = {0};
    assert_null(heap_first(&h));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        heap_put(&h, &nodes[i], keys[i]);
    int64_t last = INT64_MIN;
    for (size_t left = ARRAY_LEN(keys); left; left--) {
        struct heap_node *first = heap_first(&h);
        assert_true(first->key >= last);
        last = first->key;
        heap_remove(&h, first);
        assert_int_equal(first->place, 0);
        heap_remove(&h, first); /* harmless */
    }
    assert_null(heap_first(&h));
    heap_release(&h);
}

static void a_heap_agrees_with_the_model(void **state)
{
    (void)state;
    AUTO(mem_freep) struct thing *things = make_things();
    struct heap h = {0};
    uint64_t seed = 7;
    for (int step = 0; step < 20000; step++) {
        struct thing *t = &things[next_random(&seed) % THINGS];
        t->is_in = next_random(&seed) % 3 != 0;
        if (t->is_in)
            heap_put(&h, &t->node, (int64_t)(next_random(&seed) % 100));
        else
            heap_remove(&h, &t->node);
        int64_t smallest = INT64_MAX;
        size_t count = 0;
        for (int i = 0; i < THINGS; i++) {
            if (!things[i].is_in)
                continue;
            count++;
            smallest = MIN(smallest, things[i].node.key);
        }
        assert_int_equal(h.count, count);
        for (size_t place = 2; place <= h.count; place++)
            assert_true(h.node[place / 2 - 1]->key <= h.node[place - 1]->key && h.node[place - 1]->place == place);
        assert_int_equal(heap_first(&h) ? heap_first(&h)->key : INT64_MAX, smallest);
    }
    heap_release(&h);
    for (int i = 0; i < THINGS; i++)
        assert_int_equal(things[i].node.place, 0);
}

static void a_node_leads_to_its_thing(void **state)
{
    (void)state;
    struct thing t = {.key = "me"};
    struct heap_node *n = &t.node;
    assert_string_equal(container_of(n, struct thing, node)->key, "me");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(a_second_put_replaces_value_and_key),
        cmocka_unit_test(a_map_agrees_with_the_model),
        cmocka_unit_test(a_walk_that_removes_sees_everything_once),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(the_smallest_comes_first),
        cmocka_unit_test(a_heap_agrees_with_the_model),
        cmocka_unit_test(a_node_leads_to_its_thing),
    };
    return cmocka_run_group_tests_name("base: map, heap", tests, NULL, NULL);
}
