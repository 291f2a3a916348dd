"""Random operations of four users, at two im processes by turns, compared with the model of random_model.py."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Servers
from random_rounds import Cluster, check

CLUSTER = None


def setUpModule():
    global CLUSTER
    CLUSTER = Cluster(Servers())


def tearDownModule():
    CLUSTER.close()


class Random(unittest.TestCase):
    def test_what_users_see_is_what_the_model_says(self):
        check(self, CLUSTER, rounds=8)


if __name__ == "__main__":
    unittest.main()
