/* A hash table from ids to pointers. */
#include <stdlib.h>

#include "base/idmap.h"

#define MIN_SIZE 64

void
idmap_init(struct idmap *m)
{
	*m = (struct idmap){ .slots = NULL };
}

void
idmap_fini(struct idmap *m)
{
	free(m->slots);
	idmap_init(m);
}

/* The last eight bytes of a UUIDv7 are random, but a stranger may have chosen
 * them: mix in the rest, so that lining up collisions takes some work. */
static size_t
home(const struct idmap *m, const struct id *id)
{
	uint64_t a, b;

	memcpy(&a, id->b, 8);
	memcpy(&b, id->b + 8, 8);
	a = (a ^ (b * 0x9e3779b97f4a7c15ull)) * 0xd6e8feb86659fd93ull;
	return (size_t)(a >> 32) & (m->size - 1);
}

static struct idmap_slot *
find(const struct idmap *m, const struct id *id)
{
	size_t i;

	for (i = home(m, id);; i = (i + 1) & (m->size - 1))
		if (m->slots[i].value == NULL ||
		    id_cmp(&m->slots[i].id, id) == 0)
			return &m->slots[i];
}

static void
grow(struct idmap *m)
{
	struct idmap old = *m;
	size_t i;

	m->size = old.size == 0 ? MIN_SIZE : old.size * 2;
	m->slots = xcalloc(m->size, sizeof(*m->slots));
	for (i = 0; i < old.size; i++)
		if (old.slots[i].value != NULL)
			*find(m, &old.slots[i].id) = old.slots[i];
	free(old.slots);
}

void *
idmap_get(const struct idmap *m, const struct id *id)
{
	return m->size == 0 ? NULL : find(m, id)->value;
}

void
idmap_put(struct idmap *m, const struct id *id, void *value)
{
	struct idmap_slot *s;

	if ((m->used + 1) * 2 > m->size)
		grow(m);
	s = find(m, id);
	if (s->value == NULL)
		m->used++;
	s->id = *id;
	s->value = value;
}

void *
idmap_remove(struct idmap *m, const struct id *id)
{
	size_t hole, i, want;
	void *value;

	if (m->size == 0 || find(m, id)->value == NULL)
		return NULL;
	hole = (size_t)(find(m, id) - m->slots);
	value = m->slots[hole].value;
	m->used--;
	/* Close the gap: move back what a search would no longer reach. */
	for (i = (hole + 1) & (m->size - 1); m->slots[i].value != NULL;
	     i = (i + 1) & (m->size - 1)) {
		want = home(m, &m->slots[i].id);
		if (((i - want) & (m->size - 1)) >=
		    ((i - hole) & (m->size - 1))) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].value = NULL;
	return value;
}

const struct idmap_slot *
idmap_next(const struct idmap *m, size_t *at)
{
	while (*at < m->size)
		if (m->slots[(*at)++].value != NULL)
			return &m->slots[*at - 1];
	return NULL;
}
