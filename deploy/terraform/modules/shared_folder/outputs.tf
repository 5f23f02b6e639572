output "volume_handle" {
  description = "By which a volume of Kubernetes names it."
  value       = "${aws_efs_file_system.this.id}::${aws_efs_access_point.this.id}"
}
