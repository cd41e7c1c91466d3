#ifndef TASKFLOW_BASE_IDMAP_H
#define TASKFLOW_BASE_IDMAP_H

/* A hash table from ids to pointers: open addressing, linear probing. */
#include "base/id.h"
#include "base/mem.h"

struct idmap_slot {
	struct id id;
	void	 *value;	/* NULL: free */
};

struct idmap {
	struct idmap_slot *slots;
	size_t		   size;	/* a power of two, or 0 */
	size_t		   used;
};

void idmap_init(struct idmap *);
void idmap_fini(struct idmap *);	/* the values are the caller's */
/* NULL: not there. */
void *idmap_get(const struct idmap *, const struct id *);
/* value is not NULL; replaces what was there. */
void idmap_put(struct idmap *, const struct id *, void *value);
/* What was there, or NULL. */
void *idmap_remove(struct idmap *, const struct id *);
/* Walk: the next used slot after *at (start with 0); NULL at the end. Nothing
 * may be put or removed meanwhile. */
const struct idmap_slot *idmap_next(const struct idmap *, size_t *at);

#endif
