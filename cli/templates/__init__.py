"""``kikkake templates``: look at messages before anybody gets them."""
