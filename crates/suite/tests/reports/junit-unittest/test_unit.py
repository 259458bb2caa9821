import unittest


class Sample(unittest.TestCase):
    def test_passes(self):
        print("printed <&>")

    def test_fails(self):
        self.assertEqual(1, 2)

    def test_raises(self):
        raise OSError("no")

    @unittest.skip("later")
    def test_skipped(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.assertEqual(1, 2)

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

    def test_parts(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertNotEqual(n, 1)


class Setup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("no database")

    def test_never(self):
        pass
