#include "im/accounts/accounts.h"

void accounts_init(struct accounts *accounts, struct worker *worker, const struct im_config *config,
                   struct jwt_keys *keys, struct change_feed *changes)
{
	*accounts = (struct accounts){ .config = config, .keys = keys, .changes = changes };
	password_pool_init(&accounts->login_passwords, worker, &config->limits_password_hashes, "class=\"login\"");
	password_pool_init(&accounts->new_passwords, worker, &config->limits_password_hashes, "class=\"register\"");
}
