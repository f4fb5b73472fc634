"""What a notebook shows of counts: a folder's table with pictures, and a photo with a slider."""
